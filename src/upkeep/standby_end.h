/*-------------------------------------------------------------------------
 * standby_end.h
 *	  How far standbys can read.
 *
 * src/upkeep/standby_end.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UPKEEP_STANDBY_END_H
#define KS_UPKEEP_STANDBY_END_H

#include "upkeep/upkeep.h"

/* A step, see upkeep.h. */
extern bool ks_maintain_standby_end(const KsTopic *topic, int32 partition, KsMaintenance *done);

#endif /* KS_UPKEEP_STANDBY_END_H */
