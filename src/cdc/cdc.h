/*-------------------------------------------------------------------------
 * cdc.h
 *	  Change capture: tables into topics in the same transaction.
 *
 * src/cdc/cdc.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_CDC_CDC_H
#define KS_CDC_CDC_H

/* For _PG_init. */
extern void ks_cdc_init(void);

/* At the end of a transaction; throws nothing. */
extern void ks_cdc_end(void);

#endif /* KS_CDC_CDC_H */
