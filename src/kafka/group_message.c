/*-------------------------------------------------------------------------
 * group_message.c
 *	  What sessions and the listener say to each other about classic groups.
 *
 * One form for calls and answers: a head of fixed size, texts, and a list of
 * elements that have texts.  All texts are opaque: what a client has chosen of them
 * nobody here looks into.  Both ends are processes of one server, so numbers stand
 * as they do in memory; lengths and counts are checked all the same, for an error in
 * the listener would end all groups.
 *
 * src/kafka/group_message.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kafka/group_message.h"

#define HEAD_SIZE offsetof(KsGroupMessage, text)

/* An element without texts. */
#define ITEM_SIZE (sizeof(int32) * (1 + KS_GROUP_TEXTS))

static void
no_texts(KwString *text)
{
	int i;

	for (i = 0; i < KS_GROUP_TEXTS; i++)
	{
		text[i].data = NULL;
		text[i].len = KW_NULL;
	}
}

void
ks_group_message_init(KsGroupMessage *message, KsGroupCall call, const KsGroupKey *key)
{
	memset(message, 0, sizeof(*message));
	message->call = call;
	message->key = *key;
	no_texts(message->text);
}

KsGroupItem *
ks_group_items(int32 n)
{
	KsGroupItem *items = palloc(Max((size_t) n * sizeof(KsGroupItem), 1));
	int32 i;

	for (i = 0; i < n; i++)
	{
		items[i].number = 0;
		no_texts(items[i].text);
	}
	return items;
}

static void
put_int(StringInfo out, int32 number)
{
	appendBinaryStringInfo(out, (const char *) &number, sizeof(number));
}

static void
put_texts(StringInfo out, const KwString *text)
{
	int i;

	for (i = 0; i < KS_GROUP_TEXTS; i++)
	{
		put_int(out, text[i].len);
		if (text[i].len > 0)
			appendBinaryStringInfo(out, text[i].data, text[i].len);
	}
}

void
ks_group_message_encode(const KsGroupMessage *message, StringInfo out)
{
	int start = out->len;
	int32 len;
	int32 i;

	put_int(out, 0);
	appendBinaryStringInfo(out, (const char *) message, HEAD_SIZE);
	put_texts(out, message->text);
	put_int(out, message->item_count);
	for (i = 0; i < message->item_count; i++)
	{
		put_int(out, message->items[i].number);
		put_texts(out, message->items[i].text);
	}
	len = out->len - start - (int) sizeof(len);
	memcpy(out->data + start, &len, sizeof(len));
}

typedef struct Reader
{
	const char *at;
	size_t left;
} Reader;

static bool
get_bytes(Reader *reader, void *to, size_t len)
{
	if (reader->left < len)
		return false;
	memcpy(to, reader->at, len);
	reader->at += len;
	reader->left -= len;
	return true;
}

static bool
get_texts(Reader *reader, KwString *text)
{
	int i;

	for (i = 0; i < KS_GROUP_TEXTS; i++)
	{
		if (!get_bytes(reader, &text[i].len, sizeof(int32)) || text[i].len < KW_NULL ||
			(text[i].len > 0 && (size_t) text[i].len > reader->left))
			return false;
		text[i].data = text[i].len > 0 ? reader->at : NULL;
		if (text[i].len <= 0)
			continue;
		reader->at += text[i].len;
		reader->left -= text[i].len;
	}
	return true;
}

bool
ks_group_message_decode(const char *data, size_t len, KsGroupMessage *message)
{
	Reader reader = {data, len};
	int32 i;

	if (!get_bytes(&reader, message, HEAD_SIZE) || !get_texts(&reader, message->text) ||
		!get_bytes(&reader, &message->item_count, sizeof(int32)) ||
		message->item_count < 0 || (size_t) message->item_count > reader.left / ITEM_SIZE)
		return false;
	message->key.name[KS_GROUP_NAME_MAX] = '\0';
	message->items = palloc(Max(message->item_count * sizeof(KsGroupItem), 1));
	for (i = 0; i < message->item_count; i++)
	{
		if (!get_bytes(&reader, &message->items[i].number, sizeof(int32)) || !get_texts(&reader, message->items[i].text))
			return false;
	}
	return reader.left == 0;
}
