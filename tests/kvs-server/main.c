/* SPDX-License-Identifier: MIT */
/*
 * kvs-server: a Kinesis Video Streams of one's own, for tests and for the demo.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kvs-server/config.h"
#include "tests/kvs-server/server.h"

#define DEFAULT_ACCESS_KEY "AKIDEXAMPLE"
#define DEFAULT_SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define MAX_SKEW_MS	   (5 * 60000)

static const char help[] =
	"Usage: kvs-server [options] (--clips DIR | --config FILE)\n"
	"A local Kinesis Video Streams; prints \"listening on URL\" when "
	"ready.\n"
	"\n"
	"  --clips DIR          each NAME.mkv becomes a stream NAME\n"
	"  --config FILE        streams as README.md describes\n"
	"  --bind ADDRESS       default 127.0.0.1\n"
	"  --port N             default 0: any free one\n"
	"  --data-port N        a port of its own for the data endpoint, 0: "
	"any\n"
	"  --region NAME        default us-east-1\n"
	"  --access-key ID      default " DEFAULT_ACCESS_KEY "\n"
	"  --secret-key KEY     default " DEFAULT_SECRET_KEY "\n"
	"  --session-token T    required of the caller then\n"
	"  --max-skew SECONDS   default 300; 0: any clock will do\n"
	"  --now TIME           what \"-2h\" is counted from; default: the "
	"clock\n"
	"  --clock TIME         what the server's clock shows at start\n"
	"  --freeze             its clock stands still\n"
	"  --seed N             of all that looks random; default 1\n"
	"  --latency-ms N       before each answer\n"
	"  --no-quotas          no limits at all\n"
	"  --quota-calls N      a second and stream, default 5\n"
	"  --quota-connections N   media at a time and stream, default 5\n"
	"  --quota-bandwidth N  bytes a second and connection, 25000000\n"
	"  --quota-fragments N  a second and stream, default 500\n"
	"  --quota-points N     of ListFragments, default 10000\n"
	"  --help\n";

enum {
	O_CLIPS = 256,
	O_CONFIG,
	O_BIND,
	O_PORT,
	O_DATA_PORT,
	O_REGION,
	O_ACCESS,
	O_SECRET,
	O_TOKEN,
	O_SKEW,
	O_NOW,
	O_CLOCK,
	O_FREEZE,
	O_SEED,
	O_LATENCY,
	O_NO_QUOTAS,
	O_CALLS,
	O_CONNECTIONS,
	O_BANDWIDTH,
	O_FRAGMENTS,
	O_POINTS,
	O_HELP
};
static const struct option options[] = {
	{"clips", required_argument, NULL, O_CLIPS},
	{"config", required_argument, NULL, O_CONFIG},
	{"bind", required_argument, NULL, O_BIND},
	{"port", required_argument, NULL, O_PORT},
	{"data-port", required_argument, NULL, O_DATA_PORT},
	{"region", required_argument, NULL, O_REGION},
	{"access-key", required_argument, NULL, O_ACCESS},
	{"secret-key", required_argument, NULL, O_SECRET},
	{"session-token", required_argument, NULL, O_TOKEN},
	{"max-skew", required_argument, NULL, O_SKEW},
	{"now", required_argument, NULL, O_NOW},
	{"clock", required_argument, NULL, O_CLOCK},
	{"freeze", no_argument, NULL, O_FREEZE},
	{"seed", required_argument, NULL, O_SEED},
	{"latency-ms", required_argument, NULL, O_LATENCY},
	{"no-quotas", no_argument, NULL, O_NO_QUOTAS},
	{"quota-calls", required_argument, NULL, O_CALLS},
	{"quota-connections", required_argument, NULL, O_CONNECTIONS},
	{"quota-bandwidth", required_argument, NULL, O_BANDWIDTH},
	{"quota-fragments", required_argument, NULL, O_FRAGMENTS},
	{"quota-points", required_argument, NULL, O_POINTS},
	{"help", no_argument, NULL, O_HELP},
	{0}};

struct settings {
	const char *clips, *config, *bind, *region, *access, *secret, *token;
	const char *now, *clock;
	int64_t port, data_port, skew_s, seed, latency_ms;
	bool two_ports, freeze;
	struct quota_limits limits;
};

static int fail(const char *fmt, const char *what)
{
	fputs("kvs-server: ", stderr);
	/* fmt is one of the literals below. */
	fprintf(stderr, "%s: %s\n", what, fmt);
	return 1;
}

static bool number(const char *s, int64_t max, int64_t *ret)
{
	char *end;

	errno = 0;
	long long n = strtoll(s, &end, 10);

	if (errno || end == s || *end || n < 0 || n > max)
		return false;
	*ret = n;
	return true;
}

static bool set_text(struct settings *o, int c, const char *value)
{
	const char **at = c == O_CLIPS	  ? &o->clips
			  : c == O_CONFIG ? &o->config
			  : c == O_BIND	  ? &o->bind
			  : c == O_REGION ? &o->region
			  : c == O_ACCESS ? &o->access
			  : c == O_SECRET ? &o->secret
			  : c == O_TOKEN  ? &o->token
			  : c == O_NOW	  ? &o->now
			  : c == O_CLOCK  ? &o->clock
					  : NULL;

	if (at)
		*at = value;
	return at != NULL;
}

static bool set_number(struct settings *o, int c, const char *value)
{
	switch (c) {
	case O_PORT:
		return number(value, 65535, &o->port);
	case O_DATA_PORT:
		o->two_ports = true;
		return number(value, 65535, &o->data_port);
	case O_SKEW:
		return number(value, 1000000000, &o->skew_s);
	case O_SEED:
		return number(value, INT64_MAX, &o->seed);
	case O_LATENCY:
		return number(value, 86400000, &o->latency_ms);
	case O_CALLS:
		return number(value, INT64_MAX, &o->limits.calls);
	case O_CONNECTIONS:
		return number(value, INT64_MAX, &o->limits.connections);
	case O_BANDWIDTH:
		return number(value, INT64_MAX, &o->limits.bytes);
	case O_FRAGMENTS:
		return number(value, INT64_MAX, &o->limits.fragments);
	case O_POINTS:
		return number(value, INT64_MAX, &o->limits.points);
	}
	return false;
}

/* -1: go on; else the exit status. */
static int parse(struct settings *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return 1;
		if (c == O_HELP) {
			fputs(help, stdout);
			return 0;
		}
		if (c == O_FREEZE)
			o->freeze = true;
		else if (c == O_NO_QUOTAS)
			o->limits = (struct quota_limits){0};
		else if (!set_text(o, c, optarg) && !set_number(o, c, optarg))
			return fail("not a number in range", argv[optind - 1]);
	}
	if (optind < argc)
		return fail("unexpected", argv[optind]);
	if (!o->clips == !o->config)
		return fail("exactly one of them is needed, see --help",
			    "--clips, --config");
	return -1;
}

static int set_clock(struct server *s, const struct settings *o,
		     int64_t *ret_now_ms)
{
	int64_t ms;

	if (o->clock) {
		if (!time_parse(o->clock, wall_now_ms(&s->wall), &ms))
			return fail("not a time", o->clock);
		wall_set_ms(&s->wall, ms);
	}
	wall_freeze(&s->wall, o->freeze);
	*ret_now_ms = wall_now_ms(&s->wall);
	if (o->now && !time_parse(o->now, *ret_now_ms, ret_now_ms))
		return fail("not a time", o->now);
	return 0;
}

static void init(struct server *s, const struct settings *o)
{
	wall_init(&s->wall);
	auth_init(&s->auth, o->region, o->skew_s * 1000);
	auth_set(&s->auth, o->access, o->secret, o->token, false);
	faults_init(&s->faults);
	stats_init(&s->stats);
	quota_init(&s->account);
	pthread_mutex_init(&s->limits_lock, NULL);
	s->limits = o->limits;
	s->latency_ms = o->latency_ms;
	s->region = xstrdup(o->region);
	s->bind = xstrdup(o->bind);
	s->port = (unsigned)o->port;
	s->data_port = (unsigned)o->data_port;
	s->two_ports = o->two_ports;
	s->seed = (uint64_t)o->seed;
}

static void release(struct server *s)
{
	auth_free(&s->auth);
	faults_free(&s->faults);
	stats_free(&s->stats);
	free(s->region);
	free(s->bind);
}

static int serve(struct server *s, const sigset_t *ends)
{
	int signal, rc = server_listen(s);

	if (rc) {
		auto_char *at = xprintf("%s:%u", s->bind, s->port);

		return fail(strerror(-rc), at);
	}
	printf("listening on http://%s:%u\n", s->bind, s->port);
	fflush(stdout);
	sigwait(ends, &signal);
	server_stop(s);
	return 0;
}

int main(int argc, char **argv)
{
	struct settings o = {.bind = "127.0.0.1",
			     .region = "us-east-1",
			     .access = DEFAULT_ACCESS_KEY,
			     .secret = DEFAULT_SECRET_KEY,
			     .skew_s = MAX_SKEW_MS / 1000,
			     .seed = 1,
			     .limits = QUOTA_DEFAULTS};
	int rc = parse(&o, argc, argv);
	struct server s = {0};
	auto_char *why = NULL;
	int64_t now_ms;
	sigset_t ends;

	if (rc >= 0)
		return rc;
	/* Blocked before any thread is made, so that only sigwait sees them. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	init(&s, &o);
	struct config *c = config_new();

	rc = set_clock(&s, &o, &now_ms);
	if (!rc) {
		rc = o.config ? config_file(c, &s, o.config, now_ms, &why)
			      : config_clips(c, &s, o.clips, now_ms, &why);
		rc = rc ? fail(why, "streams") : serve(&s, &ends);
	}
	config_free(c, &s);
	release(&s);
	return rc;
}
