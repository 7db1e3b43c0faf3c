/*-------------------------------------------------------------------------
 * subscription.h
 *	  Keeping kstream's own tables out of logical replication.
 *
 * src/admin/subscription.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_ADMIN_SUBSCRIPTION_H
#define KS_ADMIN_SUBSCRIPTION_H

#include "catalog/objectaccess.h"

/* For the object access hook. */
extern void ks_subscription_access(ObjectAccessType access, Oid class, Oid object);

#endif /* KS_ADMIN_SUBSCRIPTION_H */
