/*
 * idna.c
 *		Internationalised domain names by ICU, and normal form C.
 *
 * The handle is opened at the first name that needs it and kept: 35 us once
 * per process.  Names longer than the buffers here are refused, never cut.
 */
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "text/idna.h"
#include "text/utf8.h"

/* UTF-16 units; the longest input of our types has 1024 bytes. */
#define UNITS 1100

static UIDNA *
handle(void)
{
	static UIDNA *idna = NULL;

	if (idna == NULL)
	{
		UErrorCode	status = U_ZERO_ERROR;
		UIDNA	   *opened = uidna_openUTS46(UIDNA_USE_STD3_RULES |
											 UIDNA_CHECK_BIDI |
											 UIDNA_CHECK_CONTEXTJ |
											 UIDNA_NONTRANSITIONAL_TO_ASCII |
											 UIDNA_NONTRANSITIONAL_TO_UNICODE,
											 &status);

		if (U_SUCCESS(status))
			idna = opened;
	}
	return idna;
}

static unsigned
our_errors(uint32_t theirs)
{
	unsigned	ours = 0;

	if (theirs & UIDNA_ERROR_EMPTY_LABEL)
		ours |= CRM_IDNA_EMPTY_LABEL;
	if (theirs & (UIDNA_ERROR_LABEL_TOO_LONG | UIDNA_ERROR_DOMAIN_NAME_TOO_LONG))
		ours |= CRM_IDNA_LENGTH;
	if (theirs & (UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN))
		ours |= CRM_IDNA_HYPHEN;
	if (theirs & UIDNA_ERROR_HYPHEN_3_4)
		ours |= CRM_IDNA_HYPHEN_3_4;
	if (theirs & UIDNA_ERROR_LEADING_COMBINING_MARK)
		ours |= CRM_IDNA_COMBINING_START;
	if (theirs & (UIDNA_ERROR_DISALLOWED | UIDNA_ERROR_LABEL_HAS_DOT))
		ours |= CRM_IDNA_DISALLOWED;
	if (theirs & (UIDNA_ERROR_PUNYCODE | UIDNA_ERROR_INVALID_ACE_LABEL))
		ours |= CRM_IDNA_PUNYCODE;
	if (theirs & UIDNA_ERROR_BIDI)
		ours |= CRM_IDNA_BIDI;
	if (theirs & UIDNA_ERROR_CONTEXTJ)
		ours |= CRM_IDNA_JOINER;
	if (theirs & ~(uint32_t) (UIDNA_ERROR_EMPTY_LABEL | UIDNA_ERROR_LABEL_TOO_LONG |
							  UIDNA_ERROR_DOMAIN_NAME_TOO_LONG |
							  UIDNA_ERROR_LEADING_HYPHEN |
							  UIDNA_ERROR_TRAILING_HYPHEN |
							  UIDNA_ERROR_HYPHEN_3_4 |
							  UIDNA_ERROR_LEADING_COMBINING_MARK |
							  UIDNA_ERROR_DISALLOWED | UIDNA_ERROR_LABEL_HAS_DOT |
							  UIDNA_ERROR_PUNYCODE | UIDNA_ERROR_INVALID_ACE_LABEL |
							  UIDNA_ERROR_BIDI | UIDNA_ERROR_CONTEXTJ))
		ours |= CRM_IDNA_OTHER;
	return ours;
}

/* One call of ICU; -1 when ICU fails or the result does not fit. */
static int
map(const char *name, size_t length, char *out, size_t size, unsigned *errors)
{
	UIDNA	   *idna = handle();
	UIDNAInfo	info = UIDNA_INFO_INITIALIZER;
	UErrorCode	status = U_ZERO_ERROR;
	int32_t		n;

	if (idna == NULL)
	{
		*errors = CRM_IDNA_UNAVAILABLE;
		return -1;
	}
	n = uidna_nameToUnicodeUTF8(idna, name, (int32_t) length, out,
								(int32_t) size, &info, &status);
	*errors = our_errors(info.errors);
	if (U_FAILURE(status) || n < 0 || (size_t) n > size)
	{
		if (*errors == 0)
			*errors = CRM_IDNA_LENGTH;
		return -1;
	}
	return n;
}

/*
 * A dump made by a server with a newer ICU may hold a name with a character
 * that this ICU does not know; restoring must not fail.  So a name that is
 * refused, and has unassigned characters, is tried once more with a letter in
 * the place of each: when that is accepted without being changed, the name
 * was in canonical form, and is accepted as it is.
 */
static bool
canonical_but_for_unassigned(const char *name, size_t length)
{
	char		masked[UNITS];
	char		mapped[UNITS];
	size_t		used = 0;
	bool		found = false;
	unsigned	errors;
	int			n;

	for (size_t i = 0; i < length;)
	{
		uint32_t	code;

		n = crm_utf8_decode(name + i, length - i, &code);
		if (n == 0 || used + 4 > sizeof(masked))
			return false;
		if (code >= 0x80 && !crm_is_meaningless(code) &&
			!crm_is_invisible(code) && u_charType((UChar32) code) == U_UNASSIGNED)
		{
			code = 0x4E00;
			found = true;
		}
		used += crm_utf8_encode(code, masked + used);
		i += n;
	}
	if (!found)
		return false;
	n = map(masked, used, mapped, sizeof(mapped), &errors);
	return n >= 0 && errors == 0 && (size_t) n == used &&
		memcmp(masked, mapped, used) == 0;
}

int
crm_idna_to_unicode(const char *name, size_t length, char *out, size_t size,
					unsigned *errors)
{
	int			n = map(name, length, out, size, errors);

	if ((*errors & CRM_IDNA_DISALLOWED) && length <= size &&
		canonical_but_for_unassigned(name, length))
	{
		memcpy(out, name, length);
		*errors = CRM_IDNA_UNASSIGNED;
		return (int) length;
	}
	return n;
}

int
crm_nfc(const char *s, size_t length, char *out, size_t size)
{
	UErrorCode	status = U_ZERO_ERROR;
	const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
	UChar		before[UNITS];
	UChar		after[3 * UNITS];
	int32_t		before_length;
	int32_t		after_length;
	int32_t		result;

	u_strFromUTF8(before, UNITS, &before_length, s, (int32_t) length, &status);
	if (U_FAILURE(status) || before_length > UNITS)
		return -1;
	if (unorm2_quickCheck(nfc, before, before_length, &status) == UNORM_YES)
	{
		if (length > size)
			return -1;
		memcpy(out, s, length);
		return (int) length;
	}
	after_length = unorm2_normalize(nfc, before, before_length, after,
									3 * UNITS, &status);
	if (U_FAILURE(status))
		return -1;
	u_strToUTF8(out, (int32_t) size, &result, after, after_length, &status);
	if (U_FAILURE(status) || result < 0 || (size_t) result > size)
		return -1;
	return result;
}

bool
crm_is_mark(uint32_t code)
{
	return (U_MASK(u_charType((UChar32) code)) & U_GC_M_MASK) != 0;
}
