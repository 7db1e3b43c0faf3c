/*-------------------------------------------------------------------------
 * spill.c
 *	  Batches of a large transaction in a temporary file.
 *
 * The file is a BufFile that is only appended to.  Its end is kept here, since
 * BufFileSeek(SEEK_END) does not count what is buffered.
 *
 * src/produce/spill.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/compat.h"
#include "produce/buffer.h"
#include "produce/spill.h"

static pg_attribute_noreturn() void spill_failed(void)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not read temporary file: %m")));
}

static BufFile *
get_file(void)
{
	if (ks_produce_state->spill == NULL)
	{
		/* The file must outlive the statement and the subtransaction. */
		ResourceOwner old_owner = CurrentResourceOwner;
		MemoryContext old_context = MemoryContextSwitchTo(ks_produce_state->context);

		/* BufFile notes the current owner and context at its creation. */
		CurrentResourceOwner = TopTransactionResourceOwner;
		ks_produce_state->spill = BufFileCreateTemp(false);
		CurrentResourceOwner = old_owner;
		MemoryContextSwitchTo(old_context);
	}
	return ks_produce_state->spill;
}

void
ks_spill_write(KsClosedBatch *batch, KsCodec codec)
{
	BufFile *file = get_file();
	struct varlena *image = ks_batch_finish(&batch->writer, codec);

	/* A reader of pending records may have left the file elsewhere. */
	if (BufFileSeek(file, ks_produce_state->spill_file, ks_produce_state->spill_position, SEEK_SET) != 0)
		spill_failed();
	/* The position as BufFile has it, which may be at the start of its next segment file. */
	BufFileTell(file, &batch->file, &batch->position);
	batch->size = VARSIZE(image);
	BufFileWrite(file, image, batch->size);
	BufFileTell(file, &ks_produce_state->spill_file, &ks_produce_state->spill_position);
	/* A rollback lowers this; the image in the file is never changed. */
	batch->spilled_records = batch->writer.count;

	ks_produce_state->memory -= batch->writer.capacity;
	if ((char *) image != batch->writer.image)
		pfree(image);
	pfree(batch->writer.image);
	batch->writer.image = NULL;
}

/* The first records of a finished batch, as a batch. */
static struct varlena *
cut_batch(struct varlena *image, int32 count, KsCodec codec)
{
	KsBatchReader reader;
	KsBatchWriter writer;
	KsRecord record;

	ks_batch_init(&writer, CurrentMemoryContext);
	if (ks_batch_open(&reader, VARDATA(image), VARSIZE(image) - VARHDRSZ, false, MaxAllocSize) != KS_BATCH_OK)
		elog(ERROR, "could not read back a spilled batch");
	/* A rollback always takes the last records. */
	while (writer.count < count && ks_batch_next(&reader, &record) == KS_BATCH_OK)
		ks_batch_append(&writer, &record);
	ks_batch_close(&reader);
	return ks_batch_finish(&writer, codec);
}

struct varlena *
ks_spill_read(const KsClosedBatch *batch, KsCodec codec)
{
	struct varlena *image = palloc(batch->size);

	if (BufFileSeek(ks_produce_state->spill, batch->file, batch->position, SEEK_SET) != 0 ||
		BufFileRead(ks_produce_state->spill, image, batch->size) != (size_t) batch->size)
		spill_failed();
	/* A rollback took some of it since. */
	if (batch->spilled_records < batch->writer.count)
		return cut_batch(image, batch->spilled_records, codec);
	return image;
}

void
ks_spill_close(void)
{
	if (ks_produce_state->spill != NULL)
		BufFileClose(ks_produce_state->spill);
	ks_produce_state->spill = NULL;
}
