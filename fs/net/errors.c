/* SPDX-License-Identifier: MIT */
#include "fs/net/internal.h"

#include <errno.h>

static const struct {
	CURLcode code;
	int rc;
} errors[] = {
	{CURLE_OK, 0},
	{CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH},
	{CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
	{CURLE_COULDNT_CONNECT, -ECONNREFUSED},
	{CURLE_PROXY, -ECONNREFUSED},
	{CURLE_INTERFACE_FAILED, -ECONNREFUSED},
	{CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
	{CURLE_GOT_NOTHING, -ECONNRESET},
	{CURLE_SEND_ERROR, -ECONNRESET},
	{CURLE_RECV_ERROR, -ECONNRESET},
	{CURLE_PARTIAL_FILE, -ECONNRESET},
	/* A handshake that broke off; bad certificates have codes of their
	   own, which no second try will mend. */
	{CURLE_SSL_CONNECT_ERROR, -ECONNRESET},
	{CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED},
	{CURLE_OUT_OF_MEMORY, -ENOMEM},
};

int net_errno(CURLcode code)
{
	for (size_t i = 0; i < G_N_ELEMENTS(errors); i++)
		if (errors[i].code == code)
			return errors[i].rc;
	return -EPROTO;
}
