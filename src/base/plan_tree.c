/*-------------------------------------------------------------------------
 * plan_tree.c
 *	  Questions that kstream asks of PostgreSQL's query and plan trees.
 *
 * A scan that makes only some columns of its row must make all that anybody
 * looks at.  attr_needed is no answer: it says nothing of the members of a UNION
 * ALL, nor of what is needed only inside a placeholder below an outer join or
 * grouping sets.  Neither is the plan node's target list: of a table PostgreSQL
 * may ask for all columns because that saves a projection, and a column that
 * nobody looks at may hold bytes that are an error.  What is read is
 *
 *	- the target of the relation: what joins and the levels above it need, with
 *	  the arguments of all that is computed from it;
 *	- the target of the path, where it is another one: the relation may have got
 *	  a new target after the path was made, for the last step of the query;
 *	- the conditions that the scan checks.
 *
 * Conditions of a join are checked by a scan only if it has parameters, and then
 * the relation's target has their columns.  A query that locks rows asks for the
 * row as a whole in the target.
 *
 * src/base/plan_tree.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

#include "base/plan_tree.h"

/* Is the column (0: the row as a whole) in what pull_varattnos() found? */
static bool
has_column(const Bitmapset *attrs, int column)
{
	return bms_is_member(column - FirstLowInvalidHeapAttributeNumber, attrs);
}

List *
ks_needed_columns(const RelOptInfo *rel, const Path *path, List *quals, int column_count)
{
	Bitmapset *attrs = NULL;
	List *columns = NIL;
	int column;

	/* The three sources that the opening comment lists. */
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	pull_varattnos((Node *) path->pathtarget->exprs, rel->relid, &attrs);
	pull_varattnos((Node *) quals, rel->relid, &attrs);
	for (column = 1; column <= column_count; column++)
	{
		if (has_column(attrs, 0) || has_column(attrs, column))
			columns = lappend_int(columns, column);
	}
	bms_free(attrs);
	return columns;
}

bool
ks_wants_whole_row(const RelOptInfo *rel)
{
	Bitmapset *attrs = NULL;
	ListCell *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	foreach (lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
	return has_column(attrs, 0);
}

/* Others may have a schema and a function of these names, where kstream is not. */
static bool
is_of_extension(Oid function)
{
	Oid extension = get_extension_oid("kstream", true);

	return OidIsValid(extension) && getExtensionOfObject(ProcedureRelationId, function) == extension;
}

bool
ks_function_is_one_of(Oid function, const char *const *names)
{
	char *name;

	/* Cheap refusals first: this is asked of every function in FROM. */
	if (function < FirstNormalObjectId || get_func_namespace(function) != get_namespace_oid("kstream", true))
		return false;
	name = get_func_name(function);
	for (; name != NULL && *names != NULL; names++)
	{
		if (strcmp(name, *names) == 0)
			return is_of_extension(function);
	}
	return false;
}
