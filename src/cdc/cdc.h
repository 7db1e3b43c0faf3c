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

/* Before a transaction commits or is prepared: produce what still waits. */
extern void ks_cdc_pre_commit(void);

/* At the end of a subtransaction, or of the transaction; neither throws. */
extern void ks_cdc_sub_end(bool committed);
extern void ks_cdc_end(void);

#endif /* KS_CDC_CDC_H */
