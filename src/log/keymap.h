/*-------------------------------------------------------------------------
 * keymap.h
 *	  The greatest offset of each key, in memory of a fixed size.
 *
 * src/log/keymap.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_LOG_KEYMAP_H
#define KS_LOG_KEYMAP_H

typedef struct KsKeyMap KsKeyMap;

/*
 * A map with room for `keys` keys, or for as many as fit into `bytes`, if that
 * is less (never less than a thousand).  All of it is in a context of its own
 * below `parent`, and goes with that.
 */
extern KsKeyMap *ks_keymap_create(MemoryContext parent, int64 keys, int64 bytes);

/*
 * The key is at this offset, above all that were put before.  False when it is
 * a new key and there is no room for it; then nothing was changed.
 */
extern bool ks_keymap_put(KsKeyMap *map, const char *key, int32 key_len, int64 offset);

/* The offset that was put last for the key, or -1. */
extern int64 ks_keymap_get(const KsKeyMap *map, const char *key, int32 key_len);

#endif /* KS_LOG_KEYMAP_H */
