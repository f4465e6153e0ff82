/* SPDX-License-Identifier: MIT */
/*
 * service: which service a command line means, and as whom.
 *
 * The main thread's, before there are others.
 */
#ifndef KVSFS_CLI_SERVICE_H
#define KVSFS_CLI_SERVICE_H

#include "fs/cli/options.h"

struct aws_settings;

#define SERVICE_USER_AGENT "kvsfs/" KVSFS_VERSION

/*
 * What options and the process's environment lead to; a stream's ARN says its
 * region.  Blocks on local files, and where only an EC2 instance can say the
 * region, on that.  otherwise: the region where there is none, or NULL.  As
 * aws_settings_load().
 */
int service_settings(const struct options *o, const char *otherwise,
		     struct aws_settings **ret_settings, char **ret_error);

/*
 * A process that holds keys leaves no core dump behind, and nobody but root
 * looks into its memory or its environment.
 */
void service_keep_secrets(void);

#endif
