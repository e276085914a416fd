/*
 * tax_id_read.c
 *		The checker: from a text to a canonical identifier, or to a reason.
 *
 * A text is first tried as it is: most are already canonical.  Otherwise it is
 * decoded, its label and separators are taken off, small letters become capital
 * where the kind says so, and what is left is judged.  A refused text may be
 * asked once more with its probable mistakes repaired (tax_id_suggest.c).
 */
#include <stdio.h>
#include <string.h>

#include "type/tax_id_rules.h"

/* ---------------- decoding ---------------- */

static int
utf8_length(uint32_t c)
{
	return 1 + (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);
}

/* Between a label and its number. */
static bool
is_label_end(uint32_t c)
{
	return crm_id_is_separator(c) || c == ':' || c == '#' || c == '=' || c == 0x2116;
}

/* Returns -1, or the offset of the first broken byte. */
static int
decode_all(const char *value, size_t length, CrmIdCharacters *chars)
{
	chars->count = 0;
	chars->too_many = false;
	for (size_t i = 0; i < length;)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(value + i, length - i, &c);

		if (n == 0)
			return i;
		if (chars->count == CRM_ID_MAX_CHARACTERS)
			chars->too_many |= !crm_is_space(c) && !crm_is_invisible(c);
		else if (chars->count > 0 || (!crm_is_space(c) && !crm_is_invisible(c)))
		{
			chars->code[chars->count] = c;
			chars->at[chars->count++] = i;
		}
		i += n;
	}
	while (chars->count > 0 && (crm_is_space(chars->code[chars->count - 1]) ||
								crm_is_invisible(chars->code[chars->count - 1])))
		chars->count--;
	return -1;
}

/*
 * Takes off one word; returns where the rest begins, or 0.  A number may follow
 * at once only where it begins with a digit: in "LEI0..." and "VATN..." the
 * letters may be those of an LEI.
 */
static int
match_label(const CrmIdCharacters *chars, const char *word, size_t length, bool digit_follows)
{
	int			at = 0;
	int			end;

	for (size_t i = 0; i < length;)
	{
		uint32_t	c;

		i += crm_utf8_decode(word + i, length - i, &c);
		while (at > 0 && at < chars->count && crm_id_is_separator(chars->code[at]))
			at++;
		if (at >= chars->count || crm_id_upper(chars->code[at]) != c)
			return 0;
		at++;
	}
	end = at;
	while (at < chars->count && is_label_end(chars->code[at]))
		at++;
	if (at == end && at < chars->count &&
		!(digit_follows && chars->code[at] >= '0' && chars->code[at] <= '9'))
		return 0;
	return at;
}

/* The kind whose label stands first, *start behind it; or none, and 0. */
static CrmTaxIdKind
find_label(const CrmIdCharacters *chars, int *start)
{
	*start = 0;
	if (chars->count == 0 || (chars->code[0] >= '0' && chars->code[0] <= '9'))
		return CRM_TAX_ID_NONE;
	for (int kind = 0; kind < CRM_TAX_ID_NONE; kind++)
	{
		const char *word = crm_id_kinds[kind].labels;

		while (*word)
		{
			size_t		length = strcspn(word, " ");

			*start = match_label(chars, word, length, !crm_id_kinds[kind].fold);
			if (*start > 0)
				return kind;
			word += length + (word[length] == ' ');
		}
	}
	*start = 0;
	return CRM_TAX_ID_NONE;
}

/* What is left of a text without its label and separators. */
typedef struct Significant
{
	int			length;
	int			stranger;		/* a character that no such number has, or -1 */
	char		text[CRM_ID_MAX_CHARACTERS + 1];
	int			at[CRM_ID_MAX_CHARACTERS + 1];	/* byte offsets */
} Significant;

static void
collect(CrmTaxIdKind kind, const CrmIdCharacters *chars, int first, Significant *sig)
{
	int			n = 0;

	sig->stranger = -1;
	for (int i = first; i < chars->count; i++)
	{
		uint32_t	c = chars->code[i];

		if (crm_id_is_separator(c))
			continue;
		if (c >= 'a' && c <= 'z' && crm_id_kinds[kind].fold)
			c -= 0x20;
		if (c >= 0x80 || crm_id_class[c] == 0 ||
			(crm_id_class[c] == CRM_ID_SIGN && kind != CRM_TAX_ID_VAT))
		{
			if (sig->stranger < 0)
				sig->stranger = i;
			continue;
		}
		sig->at[n] = chars->at[i];
		sig->text[n++] = c;
	}
	sig->text[n] = '\0';
	sig->at[n] = 0;
	sig->length = n;
}

/* ---------------- the checker ---------------- */

static void
set_id(CrmTaxId *id, const char *s, int length)
{
	id->length = length;
	memcpy(id->text, s, length);
	id->text[length] = '\0';
}

/* Says that the text is another kind of number, if it is. */
static bool
is_other_kind(CrmTaxIdKind kind, CrmTaxIdKind label, const char *text, int length,
			  CrmCheck *check)
{
	CrmTaxIdKind other = label;
	int			place;

	if (label == CRM_TAX_ID_NONE)
		for (other = 0; other < CRM_TAX_ID_NONE; other++)
			if (other != kind && other != CRM_TAX_ID_KPP &&	/* it has no check digit */
				crm_id_accepted(crm_id_judge(other, text, length, &place)))
				break;
	if (other == CRM_TAX_ID_NONE || other == kind)
		return false;
	crm_check_set(check, CRM_CHECK_BAD, crm_id_kinds[kind].token[CRM_ID_TOKEN_OTHER_KIND], 0,
				  label == CRM_TAX_ID_NONE ? "The value is not %s; it has the form of %s." :
				  "The value is not %s; it is labelled as %s.",
				  crm_id_kinds[kind].noun, crm_id_kinds[other].noun);
	crm_check_hint(check, "Use the type %s for it.", crm_id_kinds[other].type);
	return true;
}

static const char *
capitalised(const char *noun, char buffer[16])
{
	snprintf(buffer, 16, "%s", noun);
	buffer[0] = buffer[0] - 'a' + 'A';
	return buffer;
}

/* Turns a refusal into words. */
static void
explain(CrmTaxIdKind kind, CrmIdVerdict verdict, const char *text, int length,
		int place, int position, CrmCheck *check)
{
	const CrmIdKindInfo *info = &crm_id_kinds[kind];
	const CrmVatCountry *country = NULL;
	const char *expected = info->expected;
	char		subject[64];

	capitalised(info->noun, subject);
	if (kind == CRM_TAX_ID_VAT && verdict != CRM_ID_COUNTRY)
	{
		country = crm_vat_find_prefix(text);
		snprintf(subject, sizeof(subject), "After %s, a VAT number of %s",
				 country->prefix, country->name);
		expected = country->expected;
		length -= 2;
		place -= 2;
	}
	switch (verdict)
	{
		case CRM_ID_COUNTRY:
			crm_check_set(check, CRM_CHECK_BAD, "VAT_COUNTRY", position,
						  "The value does not begin with the VAT prefix of a member of the European Union, XI or GB.");
			if (length >= 2 && memcmp(text, "GR", 2) == 0)
				crm_check_hint(check, "The VAT prefix of Greece is EL.");
			else if (length >= 2 && memcmp(text, "EU", 2) == 0)
				crm_check_hint(check, "Numbers of the one-stop shop belong to no member; keep them as text.");
			else
				crm_check_hint(check, "Put the two letters before the number, or use crm.vat(number, country).");
			break;
		case CRM_ID_LENGTH:
			crm_check_set(check, CRM_CHECK_BAD, info->token[CRM_ID_TOKEN_LENGTH], position,
						  "%s has %s; here it has %d character%s.", subject, expected,
						  length, length == 1 ? "" : "s");
			break;
		case CRM_ID_FORMAT:
			crm_check_set(check, CRM_CHECK_BAD, info->token[CRM_ID_TOKEN_FORMAT], position,
						  "%s has %s; \"%c\" does not fit at place %d.",
						  subject, expected, text[country ? place + 2 : place], place + 1);
			break;
		case CRM_ID_ZEROS:
			crm_check_set(check, CRM_CHECK_BAD, info->token[CRM_ID_TOKEN_ZEROS], position,
						  "The digits are all zero.");
			crm_check_hint(check, "Store NULL when the number is not known.");
			break;
		case CRM_ID_PART:
			crm_check_set(check, CRM_CHECK_BAD, info->token[CRM_ID_TOKEN_PART], position,
						  "A part of the number (series, date or suffix) has a value that is never given out.");
			crm_check_hint(check, "Compare it with the document.");
			break;
		default:
			crm_check_set(check, CRM_CHECK_BAD, info->token[CRM_ID_TOKEN_CHECK_DIGIT], position,
						  "The check digits do not agree with the rest of the number.");
			crm_check_hint(check, "Compare it with the document: a character is wrong, missing or swapped.");
	}
}

/* What an accepted text was like. */
static void
describe(CrmTaxIdKind kind, CrmIdVerdict verdict, const CrmTaxId *id,
		 const char *value, size_t length, CrmCheck *check)
{
	const CrmIdKindInfo *info = &crm_id_kinds[kind];
	char		written[CRM_TAX_ID_FORMAT_SIZE];
	size_t		size = crm_tax_id_format(kind, id, written);

	if (verdict == CRM_ID_ODD)
		crm_check_set(check, CRM_CHECK_ODD, info->token[CRM_ID_TOKEN_UNUSUAL], -1,
					  "%s", info->odd);
	else if (length != size || memcmp(value, written, size) != 0)
		crm_check_set(check, CRM_CHECK_FIXED, info->token[CRM_ID_TOKEN_CLEANED], -1,
					  "Spaces, separators, a label or small letters were put right.");
}

/* Why a text is refused. */
static void
refuse(CrmTaxIdKind kind, CrmIdVerdict verdict, CrmTaxIdKind label, int place,
	   const CrmIdCharacters *chars, int first, const Significant *sig,
	   const char *value, size_t length, CrmCheck *check)
{
	const CrmIdKindInfo *info = &crm_id_kinds[kind];
	CrmTaxId	pair[2];

	if (sig->length == 0 && sig->stranger < 0)
	{
		crm_check_set(check, CRM_CHECK_BAD, info->token[CRM_ID_TOKEN_EMPTY], 0,
					  "The value is empty.");
		crm_check_hint(check, "Store NULL when the number is not known.");
		return;
	}
	/* a pair has 19 characters; what is shorter would come back to here */
	if ((kind == CRM_TAX_ID_INN || kind == CRM_TAX_ID_KPP) && sig->length > 12 &&
		crm_tax_id_split_inn_kpp(value, length, &pair[CRM_TAX_ID_INN], &pair[CRM_TAX_ID_KPP], check) &&
		pair[CRM_TAX_ID_KPP].length > 0)
	{
		crm_check_set(check, CRM_CHECK_BAD, "INN_KPP_PAIR", 0,
					  "The value is an INN and a KPP together.");
		crm_check_hint(check, "Split it with crm.split_inn_kpp().");
		strcpy(check->suggestion, pair[kind].text);
		return;
	}
	crm_check_init(check);
	if (label != CRM_TAX_ID_NONE &&
		is_other_kind(kind, label, sig->text, sig->length, check))
		return;
	if (sig->stranger >= 0)
	{
		char		shown[32];
		char		noun[16];

		crm_printable(shown, sizeof(shown), value + chars->at[sig->stranger],
					  utf8_length(chars->code[sig->stranger]));
		crm_check_set(check, CRM_CHECK_BAD, info->token[CRM_ID_TOKEN_CHARACTER],
					  chars->at[sig->stranger], "%s has %s; \"%s\" is none of these.",
					  capitalised(info->noun, noun), info->expected, shown);
	}
	else if ((verdict != CRM_ID_LENGTH && verdict != CRM_ID_FORMAT && verdict != CRM_ID_COUNTRY) ||
			 !is_other_kind(kind, CRM_TAX_ID_NONE, sig->text, sig->length, check))
		explain(kind, verdict, sig->text, sig->length, place,
				verdict == CRM_ID_FORMAT ? sig->at[place] :
				verdict == CRM_ID_LENGTH ? (int) length : sig->at[0], check);
	crm_id_suggest(kind, chars, first, check);
}

/* What is not canonical; explains only when asked (check is not NULL). */
static bool
read_slowly(CrmTaxIdKind kind, const char *value, size_t length, CrmTaxId *id, CrmCheck *check)
{
	CrmIdVerdict verdict = CRM_ID_GOOD;
	CrmIdCharacters chars;
	Significant sig;
	CrmTaxIdKind label;
	int			first;
	int			place = 0;
	int			broken = decode_all(value, length, &chars);

	if (broken >= 0 || chars.too_many)
	{
		if (check && broken >= 0)
			crm_check_set(check, CRM_CHECK_BAD,
						  crm_id_kinds[kind].token[CRM_ID_TOKEN_ENCODING], broken,
						  "The value is not valid UTF-8 at byte %d.", broken + 1);
		else if (check)
			crm_check_set(check, CRM_CHECK_BAD,
						  crm_id_kinds[kind].token[CRM_ID_TOKEN_LENGTH], (int) length,
						  "No number with its label has more than %d characters.",
						  CRM_ID_MAX_CHARACTERS);
		return false;
	}

	label = find_label(&chars, &first);
	collect(kind, &chars, first, &sig);
	if (kind == CRM_TAX_ID_LEI && label != CRM_TAX_ID_NONE && !crm_id_kinds[label].fold)
	{
		/* an LEI may begin like the label of another number, INN1... */
		collect(kind, &chars, 0, &sig);
		if (sig.length == CRM_TAX_ID_LENGTH)
		{
			label = CRM_TAX_ID_NONE;
			first = 0;
		}
		else
			collect(kind, &chars, first, &sig);
	}

	if ((label == kind || label == CRM_TAX_ID_NONE) && sig.stranger < 0 && sig.length > 0)
	{
		verdict = crm_id_judge(kind, sig.text, sig.length, &place);
		if (crm_id_accepted(verdict))
		{
			set_id(id, sig.text, sig.length);
			if (check)
				describe(kind, verdict, id, value, length, check);
			return true;
		}
	}
	if (check)
		refuse(kind, verdict, label, place, &chars, first, &sig, value, length, check);
	return false;
}

/* As it is: no allocation, no decoding. */
static inline bool
read_canonical(CrmTaxIdKind kind, const char *value, size_t length, CrmTaxId *id)
{
	int			place;

	if (length == 0 || length > CRM_TAX_ID_LENGTH ||
		crm_id_judge(kind, value, length, &place) != CRM_ID_GOOD)
		return false;
	set_id(id, value, length);
	return true;
}

bool
crm_tax_id_read(CrmTaxIdKind kind, const char *value, size_t length,
				CrmTaxId *id, CrmCheck *check)
{
	crm_check_init(check);
	return read_canonical(kind, value, length, id) ||
		read_slowly(kind, value, length, id, check);
}

CrmTaxIdKind
crm_tax_id_kind(const char *value, size_t length, CrmTaxId *id)
{
	for (int kind = 0; kind < CRM_TAX_ID_NONE; kind++)
		if (read_canonical(kind, value, length, id) ||
			read_slowly(kind, value, length, id, NULL))
			return kind;
	return CRM_TAX_ID_NONE;
}

CrmTaxIdKind
crm_tax_id_read_any(const char *value, size_t length, CrmTaxId *id, CrmCheck *check)
{
	CrmTaxIdKind kind = crm_tax_id_kind(value, length, id);
	CrmIdCharacters	chars;
	char		text[CRM_ID_MAX_CHARACTERS];
	int			n = 0;
	int			first;

	crm_check_init(check);
	if (kind == CRM_TAX_ID_NONE && decode_all(value, length, &chars) < 0)
	{
		/* the label says it, else two letters, else the length */
		kind = find_label(&chars, &first);
		for (int i = first; i < chars.count; i++)
			if (!crm_id_is_separator(chars.code[i]))
				text[n++] = chars.code[i] < 0x80 ? crm_id_upper(chars.code[i]) : 'A';
		if (kind != CRM_TAX_ID_NONE)
			 /* labelled */ ;
		else if (n == 20)
			kind = CRM_TAX_ID_LEI;
		else if (n >= 2 && crm_vat_find_prefix(text))
			kind = CRM_TAX_ID_VAT;
		else if (n == 9)
			kind = CRM_TAX_ID_KPP;
		else if (n == 10 || n == 12)
			kind = CRM_TAX_ID_INN;
		else if (n == 11)
			kind = CRM_TAX_ID_SNILS;
		else if (n == 13 || n == 15)
			kind = CRM_TAX_ID_OGRN;
	}
	if (kind != CRM_TAX_ID_NONE)
	{
		crm_tax_id_read(kind, value, length, id, check);
		return kind;
	}
	crm_check_set(check, CRM_CHECK_BAD, "TAX_ID_UNKNOWN", 0,
				  "The value has neither the length nor the beginning of an INN, KPP, OGRN, SNILS, VAT number or LEI.");
	return kind;
}

bool
crm_vat_read_national(const char *value, size_t length,
					  const char *country_code, size_t country_length,
					  CrmTaxId *id, CrmCheck *check)
{
	const CrmVatCountry *country = NULL;
	CrmCheck	whole;
	CrmIdCharacters	chars;
	char		letters[2];
	char		text[4 * CRM_ID_MAX_CHARACTERS + 2];
	int			first,
				from,
				size;

	crm_check_init(check);
	if (country_length == 2)
	{
		letters[0] = crm_id_upper((unsigned char) country_code[0]);
		letters[1] = crm_id_upper((unsigned char) country_code[1]);
		country = crm_vat_find_iso(letters);
	}
	if (country == NULL)
	{
		crm_check_set(check, CRM_CHECK_BAD, "VAT_COUNTRY", -1,
					  "The country is neither a member of the European Union nor XI or GB.");
		crm_check_hint(check, "Give the two letters of ISO 3166 or of the VAT prefix.");
		return false;
	}

	/* with its prefix it is complete; some numbers begin like their prefix */
	if (crm_tax_id_read(CRM_TAX_ID_VAT, value, length, id, &whole) &&
		memcmp(id->text, country->prefix, 2) == 0)
	{
		*check = whole;
		return true;
	}
	if (decode_all(value, length, &chars) >= 0 || chars.count == 0 || chars.too_many)
	{
		*check = whole;			/* refused: these are reasons */
		return false;
	}
	find_label(&chars, &first);
	if (first + 1 < chars.count &&
		crm_id_upper(chars.code[first]) == (uint32_t) country->prefix[0] &&
		crm_id_upper(chars.code[first + 1]) == (uint32_t) country->prefix[1] &&
		whole.status == CRM_CHECK_BAD)
		*check = whole;			/* the likelier explanation, if the next fails */

	else if (whole.status != CRM_CHECK_BAD)
		crm_check_set(check, CRM_CHECK_BAD, "VAT_COUNTRY", 0,
					  "The value is a VAT number of another country than %s.", country->name);

	from = first < chars.count ? chars.at[first] : 0;
	size = chars.at[chars.count - 1] + utf8_length(chars.code[chars.count - 1]) - from;
	memcpy(text, country->prefix, 2);
	memcpy(text + 2, value + from, size);
	if (crm_tax_id_read(CRM_TAX_ID_VAT, text, size + 2, id, &whole) ||
		check->status == CRM_CHECK_OK)	/* nothing better to say */
	{
		*check = whole;
		if (check->position >= 0)
			check->position = check->position < 2 ? 0 : check->position + from - 2;
	}
	return check->status != CRM_CHECK_BAD;
}
