/*
 * crm.c
 *		Module entry: magic block and settings.
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "crm.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "crm", .version = CRM_VERSION);
#else
PG_MODULE_MAGIC;
#endif

char	   *crm_default_region = NULL;
char	   *crm_actor = NULL;
static char *crm_effective_at = NULL;
int			crm_match_memory;
int			crm_match_workers;
int			crm_stage_check = CRM_STAGE_CHECK_IMMEDIATE;
static char *crm_portal_contact = NULL;
static int	merge_mode = CRM_MERGE_OFF;

static const struct config_enum_entry merge_modes[] = {
	{"off", CRM_MERGE_OFF, false},
	{"merge", CRM_MERGE_MERGE, false},
	{"undo", CRM_MERGE_UNDO, false},
	{NULL, 0, false}
};

static const struct config_enum_entry stage_checks[] = {
	{"immediate", CRM_STAGE_CHECK_IMMEDIATE, false},
	{"deferred", CRM_STAGE_CHECK_DEFERRED, false},
	{NULL, 0, false}
};

/*
 * Anybody can set the setting; it counts for those who may write the journal
 * of merges, and so can say what a row was like before.
 */
CrmMergeMode
crm_merge_mode(void)
{
	Oid			journal;

	if (merge_mode == CRM_MERGE_OFF)
		return CRM_MERGE_OFF;
	journal = get_relname_relid("merge_journal", get_namespace_oid("crm", false));
	if (!OidIsValid(journal) || pg_class_aclcheck(journal, GetUserId(), ACL_INSERT) != ACLCHECK_OK)
		return CRM_MERGE_OFF;
	return (CrmMergeMode) merge_mode;
}

PG_FUNCTION_INFO_V1(crm_merge_mode_text);

Datum
crm_merge_mode_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(merge_modes[crm_merge_mode()].name));
}

/* A region is empty or two upper-case letters; which ones exist is data. */
static bool
check_default_region(char **newval, void **extra, GucSource source)
{
	const char *region = *newval;

	if (region[0] == '\0' ||
		(isupper((unsigned char) region[0]) &&
		 isupper((unsigned char) region[1]) && region[2] == '\0'))
		return true;
	GUC_check_errdetail("A region is two upper-case letters of ISO 3166-1, such as RU or DE, or empty.");
	return false;
}

/* The number of a contact, or empty. */
static bool
check_portal_contact(char **newval, void **extra, GucSource source)
{
	size_t		length = strlen(*newval);

	if (length <= 18 && strspn(*newval, "0123456789") == length)
		return true;
	GUC_check_errdetail("It is the number of a contact, or empty.");
	return false;
}

void		_PG_init(void);

void
_PG_init(void)
{
	DefineCustomStringVariable("crm.default_region",
							   "Region of phone numbers that are written without a country code.",
							   "Two letters of ISO 3166-1 (RU, DE, US ...); empty means that such numbers are refused.",
							   &crm_default_region,
							   "",
							   PGC_USERSET,
							   0,
							   check_default_region,
							   NULL,
							   NULL);
	DefineCustomStringVariable("crm.actor",
							   "The person on whose behalf the session acts, for the history.",
							   "An application that shares one database role among its users sets it at the start of each transaction; empty means the session's role.",
							   &crm_actor,
							   "",
							   PGC_USERSET,
							   0,
							   NULL,
							   NULL,
							   NULL);
	DefineCustomStringVariable("crm.effective_at",
							   "The moment from which what the session changes holds, for the histories of deals, life cycle and ownership.",
							   "Functions that take as_of set it while they write, and so may a load of what was; empty means the moment of the transaction.",
							   &crm_effective_at,
							   "",
							   PGC_USERSET,
							   0,
							   NULL,
							   NULL,
							   NULL);
	DefineCustomIntVariable("crm.match_memory",
							"Memory that a run of a match model may take for its records.",
							"A run that would need more is refused.",
							&crm_match_memory,
							1024 * 1024,
							1024,
							MAX_KILOBYTES,
							PGC_USERSET,
							GUC_UNIT_KB,
							NULL,
							NULL,
							NULL);
	DefineCustomIntVariable("crm.match_workers",
							"Processes that may help with a run of a match model.",
							"They come from max_parallel_workers, one less than there are processors at most; 0 for none.",
							&crm_match_workers,
							2,
							0,
							64,
							PGC_USERSET,
							0,
							NULL,
							NULL,
							NULL);
	DefineCustomEnumVariable("crm.stage_check",
							 "When what a move of a deal asks for is judged: immediate or deferred.",
							 "Deferred, required fields, stages, milestones, documents and guards are judged at the end of the transaction, or at SET CONSTRAINTS ALL IMMEDIATE. Whether the move is allowed, and to whom, is judged at once.",
							 &crm_stage_check,
							 CRM_STAGE_CHECK_IMMEDIATE,
							 stage_checks,
							 PGC_USERSET,
							 0,
							 NULL,
							 NULL,
							 NULL);
	DefineCustomStringVariable("crm.portal_contact",
							   "The contact who is logged in to the portal in this session.",
							   "Set by the portal after it has authenticated the client; read only in sessions of role crm_portal. Empty means nobody.",
							   &crm_portal_contact,
							   "",
							   PGC_USERSET,
							   0,
							   check_portal_contact,
							   NULL,
							   NULL);
	DefineCustomEnumVariable("crm.merge_mode",
							 "Set by crm.merge_contacts(), crm.unmerge() and their like while they run.",
							 "merge: rows are copied from one contact to another; undo: rows are written as they were, with updated_at. Counts only for roles that may write crm.merge_journal.",
							 &merge_mode,
							 CRM_MERGE_OFF,
							 merge_modes,
							 PGC_USERSET,
							 GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
							 NULL,
							 NULL,
							 NULL);
	MarkGUCPrefixReserved("crm");
}

PG_FUNCTION_INFO_V1(crm_library_version);

/* The version of the loaded module. */
Datum
crm_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(CRM_VERSION));
}
