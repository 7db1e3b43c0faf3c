/*-------------------------------------------------------------------------
 * shim.c
 *	  What the codec room needs of a server, outside of a server.
 *
 * The codec room calls the memory manager and, when memory runs out, ereport.
 * Here chunks come from malloc, so that a sanitizer sees every one of them,
 * and an error is a longjmp.  CRC and case folding are the server's own, from
 * libpgport.
 *
 * test/unit/shim.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "shim.h"

MemoryContext CurrentMemoryContext = NULL;

size_t shim_largest = 0;
size_t shim_fail_size = SIZE_MAX;
jmp_buf *shim_catch = NULL;

static void
out_of_memory(void)
{
	if (shim_catch != NULL)
		longjmp(*shim_catch, 1);
	abort();
}

void *
palloc_extended(Size size, int flags)
{
	void *chunk = NULL;

	shim_largest = Max(shim_largest, size);
	if (size < shim_fail_size)
		chunk = malloc(size > 0 ? size : 1);
	if (chunk == NULL && (flags & MCXT_ALLOC_NO_OOM) == 0)
		out_of_memory();
	return chunk;
}

void *
palloc(Size size)
{
	return palloc_extended(size, 0);
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	(void) context;
	return palloc_extended(size, 0);
}

void *
repalloc(void *pointer, Size size)
{
	void *chunk = NULL;

	shim_largest = Max(shim_largest, size);
	if (size < shim_fail_size)
		chunk = realloc(pointer, size);
	if (chunk == NULL)
		out_of_memory();
	return chunk;
}

void
pfree(void *pointer)
{
	free(pointer);
}

bool
errstart(int elevel, const char *domain)
{
	(void) elevel;
	(void) domain;
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	return sqlerrcode;
}

int
errmsg(const char *fmt, ...)
{
	(void) fmt;
	return 0;
}

int
errdetail(const char *fmt, ...)
{
	(void) fmt;
	return 0;
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	(void) filename;
	(void) lineno;
	(void) funcname;
	out_of_memory();
}

/* For servers built with assertions; its arguments differ by version. */
#ifdef USE_ASSERT_CHECKING
#if PG_VERSION_NUM >= 160000
void
ExceptionalCondition(const char *conditionName, const char *fileName,
					 int lineNumber)
#else
void
ExceptionalCondition(const char *conditionName, const char *errorType,
					 const char *fileName, int lineNumber)
#endif
{
	fprintf(stderr, "assertion failed: %s, %s:%d\n", conditionName, fileName,
			lineNumber);
	abort();
}
#endif

void *
palloc0(Size size)
{
	void *chunk = palloc(size);

	memset(chunk, 0, size > 0 ? size : 1);
	return chunk;
}

char *
pnstrdup(const char *in, Size len)
{
	Size n = strnlen(in, len);
	char *copy = palloc(n + 1);

	memcpy(copy, in, n);
	copy[n] = '\0';
	return copy;
}

void
initStringInfo(StringInfo str)
{
	str->maxlen = 64;
	str->data = palloc0(str->maxlen);
	str->len = 0;
	str->cursor = 0;
}

void
enlargeStringInfo(StringInfo str, int needed)
{
	while (str->maxlen - str->len <= needed)
	{
		str->maxlen *= 2;
		str->data = repalloc(str->data, str->maxlen);
	}
}

#if PG_VERSION_NUM >= 160000
#define BYTES const void *
#else
#define BYTES const char *
#endif

void
appendBinaryStringInfo(StringInfo str, BYTES data, int datalen)
{
	enlargeStringInfo(str, datalen);
	if (datalen > 0)
		memcpy(str->data + str->len, data, datalen);
	str->len += datalen;
	str->data[str->len] = '\0';
}

void
appendStringInfoChar(StringInfo str, char ch)
{
	appendBinaryStringInfo(str, &ch, 1);
}
