/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "fs/aws/settings.h"
#include "fs/base/base.h"
#include "fs/base/clock.h"
#include "fs/cli/check.h"
#include "fs/kvs/kvs.h"
#include "fs/net/loop.h"

static void begin(void *arg)
{
	struct check_call *call = arg;

	call->start(call);
}

/* In the loop's next step: the call itself is gone by then. */
static void over(void *arg)
{
	struct check_call *call = arg;
	auto_unlock pthread_mutex_t *held = base_lock(&call->lock);

	call->done = true;
	pthread_cond_signal(&call->over);
}

void check_call_run(struct check *c, struct check_call *call)
{
	call->check = c;
	call->answer = (struct check_answer){0};
	call->done = false;
	call->began_ms = clock_monotonic_ms(&clock_system);
	pthread_mutex_init(&call->lock, NULL);
	pthread_cond_init(&call->over, NULL);
	net_loop_post(c->loop, begin, call);
	pthread_mutex_lock(&call->lock);
	while (!call->done)
		pthread_cond_wait(&call->over, &call->lock);
	pthread_mutex_unlock(&call->lock);
	pthread_cond_destroy(&call->over);
	pthread_mutex_destroy(&call->lock);
}

void check_call_done(struct check_call *call, const struct kvs_error *e)
{
	call->answer = (struct check_answer){
		.rc = e->rc,
		.http_status = e->http_status,
		.no_credentials = e->no_credentials,
		.name = g_strdup(e->name),
		.request_id = g_strdup(e->request_id),
		.message = g_strdup(e->message),
		.took_ms = clock_monotonic_ms(&clock_system) - call->began_ms,
	};
	net_loop_post(call->check->loop, over, call);
}

void check_answer_release(struct check_answer *a)
{
	g_clear_pointer(&a->name, g_free);
	g_clear_pointer(&a->request_id, g_free);
	g_clear_pointer(&a->message, g_free);
}

/* Names of a refusal that is about who signed, not about what is allowed. */
static const struct {
	const char *name, *cure;
} signer_cures[] = {
	{"UnrecognizedClient", "the service does not know this access key: is "
			       "it active, and of this partition (China and "
			       "GovCloud have keys of their own)?"},
	{"InvalidClientTokenId", "the service does not know this access key: "
				 "is it active?"},
	{"InvalidSignature", "the secret access key does not belong to the "
			     "access key: copy it again"},
	{"SignatureDoesNotMatch", "the secret access key does not belong to "
				  "the access key: copy it again"},
	{"ExpiredToken", "the credentials have expired: renew them ('aws sso "
			 "login', or whatever made them)"},
	{"MissingAuthenticationToken", "something between here and the service "
				       "takes signatures away"},
};

static const char *signer_cure(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(signer_cures); i++)
		if (g_str_has_prefix(name, signer_cures[i].name))
			return signer_cures[i].cure;
	return NULL;
}

static char *access_cure(struct check *c, const char *api,
			 const struct check_answer *a)
{
	g_autofree char *action = g_strconcat("kinesisvideo:", api, NULL);

	if (g_str_has_prefix(a->name, "KMS"))
		return g_strdup("allow kms:Decrypt on the stream's KMS key, in "
				"its key policy and yours");
	if (signer_cure(a->name))
		return g_strdup(signer_cure(a->name));
	report_missing_action(c->report, action);
	return g_strdup_printf("allow the action %s: policy below", action);
}

static char *cure_of(struct check *c, const char *api,
		     const struct check_answer *a)
{
	switch (a->rc) {
	case -EACCES:
		return access_cure(c, api, a);
	case -ENOENT:
		return g_strdup_printf("check the stream's name, and that it "
				       "is in region %s of this account",
				       c->settings->region);
	case -EBUSY:
		return g_strdup("the account is at its limit of calls: try "
				"again, or ask AWS for more");
	case -ETIMEDOUT:
		return g_strdup("check the network: route, firewall, proxy, "
				"the VPC endpoint's security group");
	case -EKEYREJECTED:
		return g_strdup("name the certificates of what stands in "
				"between in AWS_CA_BUNDLE");
	default:
		return g_strdup("what answers there is perhaps not Kinesis "
				"Video Streams: check the endpoint");
	}
}

void check_call_failed(struct check *c, const char *api,
		       const struct check_answer *a)
{
	g_autofree char *cure = a->no_credentials ? NULL : cure_of(c, api, a);
	bool named = a->name && *a->name, id = a->request_id && *a->request_id;
	/* Only patterns list streams. */
	bool needed = strcmp(api, "ListStreams") || !c->o->stream ||
		      g_str_has_suffix(c->o->stream, "*");

	report_add(c->report, api, needed ? REPORT_FAIL : REPORT_WARN,
		   a->took_ms, cure, "%s%s%s%s%s%s%s", a->message,
		   named ? " (" : "", named ? a->name : "", named ? ")" : "",
		   id ? ", request id " : "", id ? a->request_id : "",
		   needed ? "" : "; only 'PREFIX*' and '*' need it");
}
