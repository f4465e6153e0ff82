/* SPDX-License-Identifier: MIT */
/*
 * landing_size: how large the file of a fragment becomes whose content is
 * whole: as it was shown, or larger where that is too small.
 */
#define G_LOG_DOMAIN "kvsfs"
#include "fs/archive/landing.h"
#include "fs/archive/slack.h"

struct growing {
	struct download *d;
	unsigned landing;
};

static void kernel_told(void *arg)
{
	g_autofree struct growing *g = arg;
	struct download *d = g->d;

	if (g->landing == d->landing && d->state != DOWNLOAD_FAILED) {
		d->telling = false;
		landing_step(d);
	}
	download_unref(d);
}

static void grown_size_written(void *arg)
{
	struct growing *g = arg;
	struct download *d = g->d;

	archive_fragment_forget(d->a, d->f.id);
	resized_tell(d->a, &d->f, kernel_told, g);
}

static void grown_size_on_writer(void *user, int rc)
{
	struct growing *g = user;

	/* Where it was not written, sealing fails likewise and says so. */
	archive_pay(g->d->a, grown_size_written, g);
}

/*
 * The chunk becomes visible only when whoever asks is given its size, and the
 * kernel has forgotten the old one.
 */
static void tell_before_sealing(struct download *d)
{
	struct growing *g = g_new(struct growing, 1);

	*g = (struct growing){download_ref(d), d->landing};
	d->telling = true;
	archive_owe(d->a);
	catalog_set_payload(d->a->catalog, d->f.id, d->put_bytes, d->size_bytes,
			    grown_size_on_writer, g);
}

static void grow(struct download *d)
{
	int64_t slack = slack_above(d->f.file_bytes - d->f.size_bytes);

	d->size_bytes = slack_grown(d->put_bytes);
	g_warning("stream %s, fragment %s: %" G_GINT64_FORMAT
		  " bytes do not fit its listed size: the file grows to "
		  "%" G_GINT64_FORMAT,
		  d->st->name, d->f.number, d->put_bytes, d->size_bytes);
	if (d->a->o.slack_bytes < 0)
		catalog_set_slack(d->a->catalog, d->st->id, slack, true, NULL,
				  NULL);
	tell_before_sealing(d);
}

/* The first of its stream: nothing was shown yet. */
static void calibrate(struct download *d)
{
	int64_t slack = slack_for(d->f.size_bytes, d->put_bytes);

	d->size_bytes = d->f.size_bytes + slack;
	if (!slack_fits(d->put_bytes, d->size_bytes))
		d->size_bytes = slack_grown(d->put_bytes);
	d->f.file_bytes = d->size_bytes;
	catalog_set_slack(d->a->catalog, d->st->id, slack, true, NULL, NULL);
	catalog_set_payload(d->a->catalog, d->f.id, d->put_bytes, d->size_bytes,
			    NULL, NULL);
}

void landing_choose_size(struct download *d)
{
	if (d->calibrates) {
		calibrate(d);
		return;
	}
	d->size_bytes = d->f.file_bytes;
	if (slack_fits(d->put_bytes, d->size_bytes))
		catalog_set_payload(d->a->catalog, d->f.id, d->put_bytes, -1,
				    NULL, NULL);
	else
		grow(d);
}
