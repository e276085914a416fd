/*
 * lex.h
 *		The tokens of a rule.
 */
#ifndef CRM_RULE_LEX_H
#define CRM_RULE_LEX_H

#include "rule/rule.h"

typedef enum CrmRuleTokenKind
{
	CRM_TOKEN_END,
	CRM_TOKEN_NAME,				/* a word or a quoted identifier */
	CRM_TOKEN_NUMBER,
	CRM_TOKEN_STRING,
	CRM_TOKEN_OPERATOR,
	CRM_TOKEN_OTHER				/* a single character: ( ) , */
} CrmRuleTokenKind;

typedef struct CrmRuleToken
{
	CrmRuleTokenKind kind;
	size_t		start;			/* byte offsets in the text */
	size_t		end;
	bool		quoted;			/* of a name: written in double quotes */
	char		name[CRM_RULE_MAX_NAME + 1];	/* of a name: folded, without
												 * quotes */
	size_t		name_length;
} CrmRuleToken;

/*
 * Reads the token at or behind position, which it advances.  False and the
 * verdict when there is none that a rule may have.
 */
extern bool crm_rule_lex(const char *text, size_t length, size_t *position,
						 CrmRuleToken *token, CrmCheck *check);

/* Writes text[start, end) for showing it, cut when long. */
extern const char *crm_rule_shown(char *buffer, size_t size, const char *text,
								  size_t start, size_t end);

#endif							/* CRM_RULE_LEX_H */
