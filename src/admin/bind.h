/*-------------------------------------------------------------------------
 * bind.h
 *	  Topics of the tables that a schema-only dump restored.
 *
 * src/admin/bind.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_BIND_H
#define KS_ADMIN_BIND_H

/* For _PG_init. */
extern void ks_bind_init(void);

#endif /* KS_ADMIN_BIND_H */
