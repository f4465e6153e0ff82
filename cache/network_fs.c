/* SPDX-License-Identifier: MIT */
#include "cache/network_fs.h"

#include <stddef.h>

static const struct {
	uint32_t f_type;
	const char *name;
} network_types[] = {
	{0x00006969, "NFS"},   {0x0000517b, "SMB"},
	{0xff534d42, "CIFS"},  {0xfe534d42, "SMB2"},
	{0x00c36400, "Ceph"},  {0x5346414f, "AFS"},
	{0x6b414653, "AFS"},   {0x73757245, "Coda"},
	{0x01021997, "9P"},    {0x01161970, "GFS2"},
	{0x7461636f, "OCFS2"}, {0x0bd00bd0, "Lustre"},
	{0x47504653, "GPFS"},  {0x20030528, "OrangeFS"},
	{0x0000564c, "NCP"},   {0x786f4256, "vboxsf"},
};

const char *network_fs_name(uint32_t f_type)
{
	size_t n = sizeof(network_types) / sizeof(network_types[0]);

	for (size_t i = 0; i < n; i++)
		if (network_types[i].f_type == f_type)
			return network_types[i].name;
	return NULL;
}
