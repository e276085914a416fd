/*
 * email.c
 *		Reading an e-mail address.
 *
 * Nearly all addresses are ASCII and well formed: read_plain() takes those in
 * one pass and says nothing of the others, which go to read_any().  That one
 * finds out what is wrong, removes what carries no meaning around an address,
 * and calls ICU for what is not ASCII.  Everything that read_plain() accepts,
 * read_any() would accept with the same result.
 */
#include <stdio.h>
#include <string.h>

#include "text/idna.h"
#include "text/utf8.h"
#include "type/email_class.h"
#include "type/email_read.h"

/*
 * An ordinary ASCII address; returns the size of the image, or 0 for anything
 * that needs a closer look: long, quoted, international, with "--" where it
 * means something, with a top-level domain that is not letters only.
 */
static int
read_plain(const unsigned char *s, size_t length, unsigned char *image)
{
	unsigned char *out = image + 1;
	size_t		i;
	size_t		label;
	unsigned char class;
	unsigned char every = EMAIL_LETTER;
	bool		dotted = false;

	if (length < 6 || length > CRM_EMAIL_MAX_PATH)
		return 0;
	for (i = 0; i < length; i++)
	{
		class = crm_email_class[s[i]];
		if (class == 0)
		{
			/* A dot stands between two atoms. */
			if (s[i] != '.' || i == 0 || s[i - 1] == '.')
				break;
		}
		out[i] = s[i];
	}
	if (i == 0 || i > CRM_EMAIL_USUAL_LOCAL || i == length || s[i] != '@' ||
		s[i - 1] == '.')
		return 0;
	image[0] = (unsigned char) i;
	out--;						/* the domain follows without the '@' */

	label = ++i;
	for (; i < length; i++)
	{
		unsigned char c = s[i];

		class = crm_email_class[c] & (EMAIL_LETTER | EMAIL_DIGIT);
		if (class != 0)
		{
			every &= class;
			out[i] = crm_email_lower(c);
			continue;
		}
		if (i == label)
			return 0;
		if (c == '-')
		{
			every = 0;
			if (i == label + 3 && s[i - 1] == '-')
				return 0;
		}
		else if (c == '.')
		{
			if (s[i - 1] == '-' || i - label > CRM_EMAIL_MAX_LABEL)
				return 0;
			label = i + 1;
			every = EMAIL_LETTER;
			dotted = true;
		}
		else
			return 0;
		out[i] = c;
	}
	if (!dotted || every != EMAIL_LETTER ||
		length - label < 2 || length - label > CRM_EMAIL_MAX_LABEL)
		return 0;
	return (int) length;
}

/* Checks an unquoted local part; false when refused. */
static bool
check_local(const char *s, size_t length, int offset, CrmCheck *check)
{
	bool		start = true;
	char		shown[16];

	for (size_t i = 0; i < length;)
	{
		uint32_t	c;
		int			position = offset < 0 ? -1 : offset + (int) i;
		int			n = crm_utf8_decode(s + i, length - i, &c);

		if (c == '.')
		{
			if (i == 0)
			{
				REFUSE(check, "EMAIL_LOCAL_DOT", position,
					   "The address begins with a dot.");
				return false;
			}
			if (start)
			{
				REFUSE(check, "EMAIL_LOCAL_DOT", position,
					   "Two dots in a row before the \"@\".");
				return false;
			}
			start = true;
			i += n;
			continue;
		}
		if (c < 0x80 && crm_email_class[c] == 0)
		{
			if (c == '(' || c == ')')
			{
				REFUSE(check, "EMAIL_COMMENT", position,
					   "A comment in round brackets is no part of an address.");
				return false;
			}
			if (!crm_email_accept_character(c, position, false, check))
				return false;
			if (c == '"')
				REFUSE(check, "EMAIL_LOCAL_QUOTE", position,
					   "A quotation mark that does not enclose the whole part before the \"@\".");
			else
				REFUSE(check, "EMAIL_LOCAL_CHARACTER", position,
					   "The character %s may not stand before the \"@\".",
					   crm_email_show(c, shown, sizeof(shown)));
			return false;
		}
		if (c >= 0x80)
		{
			if (!crm_email_accept_character(c, position, false, check))
				return false;
			if (start && crm_is_mark(c))
			{
				REFUSE(check, "EMAIL_COMBINING_START", position,
					   "The combining mark %s has no letter before it.",
					   crm_email_show(c, shown, sizeof(shown)));
				return false;
			}
			if (c == 0xFF20 || c == 0xFE6B)
				NOTE(check, CRM_CHECK_ODD, "EMAIL_LOCAL_AT", position,
					 "The part before the \"@\" has a character that looks like another \"@\" (%s).",
					 crm_email_show(c, shown, sizeof(shown)));
		}
		start = false;
		i += n;
	}
	if (start)
	{
		REFUSE(check, "EMAIL_LOCAL_DOT", offset < 0 ? -1 : offset + (int) length - 1,
			   "A dot just before the \"@\".");
		return false;
	}
	return true;
}

/* Whether s is a dot-atom, so that quotes around it are needless. */
static bool
is_dot_atom(const char *s, size_t length)
{
	bool		start = true;

	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if (c == '.')
		{
			if (start)
				return false;
			start = true;
			continue;
		}
		if (c < 0x80 && crm_email_class[c] == 0)
			return false;
		start = false;
	}
	return !start;
}

/*
 * A quoted local part, s[0] being the quotation mark.  Writes the canonical
 * form, unquoted if possible; returns its length or -1.
 */
static int
read_quoted(const char *s, size_t length, int offset, char *out, CrmCheck *check)
{
	char		content[CRM_EMAIL_BUFFER];
	char		normal[CRM_EMAIL_BUFFER];
	size_t		used = 0;
	size_t		i = 1;
	int			n;
	uint32_t	c;

	if (length > CRM_EMAIL_MAX_IMAGE)
		return -1;
	while (i < length && s[i] != '"')
	{
		if (s[i] == '\\' && (i + 1 >= length || (unsigned char) s[i + 1] < 0x20 ||
							 (unsigned char) s[i + 1] > 0x7E))
		{
			REFUSE(check, "EMAIL_LOCAL_QUOTE", offset + (int) i,
				   "A backslash that is not followed by a printable ASCII character.");
			return -1;
		}
		if (s[i] == '\\')
			i++;
		n = crm_utf8_decode(s + i, length - i, &c);
		if (c != ' ' && !crm_email_accept_character(c, offset + (int) i, false, check))
			return -1;
		if (used == 0 && c >= 0x80 && crm_is_mark(c))
		{
			REFUSE(check, "EMAIL_COMBINING_START", offset + (int) i,
				   "The combining mark U+%04X has no letter before it.", (unsigned) c);
			return -1;
		}
		memcpy(content + used, s + i, n);
		used += n;
		i += n;
	}
	if (i != length - 1)
	{
		REFUSE(check, "EMAIL_LOCAL_QUOTE", offset + (int) i,
			   i >= length ? "The quotation mark is not closed." :
			   "Something stands between the closing quotation mark and the \"@\".");
		return -1;
	}
	n = (int) used;
	if (!crm_is_ascii(content, used))
	{
		n = crm_nfc(content, used, normal, sizeof(normal));
		if (n < 0 || n > CRM_EMAIL_MAX_LOCAL)
		{
			REFUSE(check, "EMAIL_LONG", offset, "The part before the \"@\" is too long.");
			return -1;
		}
		memcpy(content, normal, n);
		/* Normalising may have made a character that was not there. */
		for (i = 0; i < (size_t) n;)
		{
			i += crm_utf8_decode(content + i, n - i, &c);
			if (c != ' ' && !crm_email_accept_character(c, offset, false, check))
				return -1;
		}
	}
	if (is_dot_atom(content, n))
	{
		NOTE(check, CRM_CHECK_FIXED, "EMAIL_QUOTES_REMOVED", offset,
			 "Needless quotation marks were removed.");
		memcpy(out, content, n);
		return check_local(content, n, -1, check) ? n : -1;
	}
	NOTE(check, CRM_CHECK_ODD, "EMAIL_LOCAL_QUOTED", offset,
		 "The part before the \"@\" is quoted: allowed, but many systems refuse it.");
	used = 0;
	out[used++] = '"';
	for (i = 0; i < (size_t) n; i++)
	{
		/* Twice the longest content fits the buffer of a kilobyte. */
		if (used > CRM_EMAIL_MAX_LOCAL)
			break;
		if (content[i] == '"' || content[i] == '\\')
			out[used++] = '\\';
		out[used++] = content[i];
	}
	out[used++] = '"';
	return (int) used;
}

/* The local part; returns the length of its canonical form or -1. */
static int
read_local(const char *s, size_t length, int offset, char *out, CrmCheck *check)
{
	int			n;

	if (s[0] == '"')
		n = read_quoted(s, length, offset, out, check);
	else if (!check_local(s, length, offset, check))
		n = -1;
	else if (crm_is_ascii(s, length))
	{
		n = (int) length;
		memcpy(out, s, length);
	}
	else
	{
		n = crm_nfc(s, length, out, CRM_EMAIL_BUFFER);
		/* Normalising may have made a character that was not there. */
		if (n >= 0 && !check_local(out, n, -1, check))
			return -1;
		if (n < 0)
			n = CRM_EMAIL_MAX_LOCAL + 1;
	}
	if (n < 0)
		return -1;
	if (n > CRM_EMAIL_MAX_LOCAL)
	{
		REFUSE(check, "EMAIL_LONG", offset,
			   "The part before the \"@\" has more than %d octets.",
			   CRM_EMAIL_MAX_LOCAL);
		return -1;
	}
	if (n > CRM_EMAIL_USUAL_LOCAL)
		NOTE(check, CRM_CHECK_ODD, "EMAIL_LOCAL_LONG", offset,
			 "The part before the \"@\" has %d octets; RFC 5321 asks systems to accept %d.",
			 n, CRM_EMAIL_USUAL_LOCAL);
	return n;
}

static bool
begins_with_mailto(const char *s, size_t length)
{
	static const char mailto[] = "mailto:";

	if (length < sizeof(mailto) - 1)
		return false;
	for (size_t i = 0; i < sizeof(mailto) - 1; i++)
		if (crm_email_lower((unsigned char) s[i]) != mailto[i])
			return false;
	return true;
}

/* Removes what people and programs put around an address. */
static void
unwrap(const char *s, size_t *start, size_t *end, CrmCheck *check)
{
	for (;;)
	{
		if (crm_email_trim(s, start, end))
			NOTE(check, CRM_CHECK_FIXED, "EMAIL_SPACE_REMOVED", (int) *start,
				 "White space or invisible characters around the address were removed.");
		if (begins_with_mailto(s + *start, *end - *start))
		{
			const char *query;

			*start += 7;
			query = memchr(s + *start, '?', *end - *start);
			/* The part before the "@" may have one, too. */
			if (query != NULL &&
				memchr(s + *start, '@', query - (s + *start)) != NULL)
				*end = query - s;
		}
		else if (*end - *start >= 2 && s[*start] == '<' && s[*end - 1] == '>')
		{
			(*start)++;
			(*end)--;
		}
		else
			return;
		NOTE(check, CRM_CHECK_FIXED, "EMAIL_WRAPPING_REMOVED", (int) *start,
			 "\"mailto:\" or angle brackets around the address were removed.");
	}
}

/* Refuses a text without, or with more than one, "@". */
static void
refuse_at(const char *s, size_t length, size_t at, int offset, CrmCheck *check)
{
	size_t		second;

	if (at == length)
	{
		for (size_t i = 0; i < length;)
		{
			uint32_t	c;
			int			n = crm_utf8_decode(s + i, length - i, &c);

			if (c == 0xFF20 || c == 0xFE6B)
			{
				REFUSE(check, "EMAIL_AT_FULLWIDTH", offset + (int) i,
					   "The character U+%04X stands in place of \"@\".", (unsigned) c);
				return;
			}
			i += n;
		}
		REFUSE(check, "EMAIL_NO_AT", -1, "There is no \"@\".");
		crm_check_hint(check, "An address has the form name@domain.");
		return;
	}
	second = at + 1;
	while (s[second] != '@')
		second++;
	for (size_t i = at + 1; i < second; i++)
		if (strchr(",;|/ \t\r\n", s[i]) != NULL)
		{
			REFUSE(check, "EMAIL_SEVERAL", offset + (int) i,
				   "There is more than one address.");
			crm_check_hint(check, "Put one address, and nothing else, into a value.");
			return;
		}
	REFUSE(check, "EMAIL_TWO_ATS", offset + (int) second,
		   "There is more than one \"@\".");
}

/* The long way; returns the size of the image, or 0. */
static int
read_any(const char *text, size_t length, int flags, char *image, CrmCheck *check)
{
	size_t		start = 0;
	size_t		end = length;
	size_t		at;
	char		local[CRM_EMAIL_BUFFER];
	char		domain[CRM_EMAIL_BUFFER];
	char		ascii[CRM_EMAIL_BUFFER];
	int			local_length;
	int			domain_length;
	int			octets;
	const char *s;

	at = crm_utf8_check(text, length);
	if (at < length)
	{
		if (flags & CRM_EMAIL_ASCII_ONLY)
			REFUSE(check, "EMAIL_NEEDS_UTF8", (int) at,
				   "An address with other characters than ASCII needs a database in the encoding UTF8.");
		else
			REFUSE(check, "EMAIL_ENCODING", (int) at,
				   "The bytes are not valid UTF-8.");
		return 0;
	}
	if ((flags & CRM_EMAIL_ASCII_ONLY) && !crm_is_ascii(text, length))
	{
		REFUSE(check, "EMAIL_NEEDS_UTF8", -1,
			   "An address with other characters than ASCII needs a database in the encoding UTF8.");
		return 0;
	}
	unwrap(text, &start, &end, check);
	s = text + start;
	length = end - start;
	if (length == 0)
	{
		REFUSE(check, "EMAIL_EMPTY", -1, "There is no address.");
		crm_check_hint(check, "Use null for an address that is not known.");
		return 0;
	}
	if (s[length - 1] == '>' && memchr(s, '<', length) != NULL)
	{
		REFUSE(check, "EMAIL_DISPLAY_NAME", (int) start,
			   "There is a name beside the address.");
		crm_check_hint(check, "Keep the name in a column of its own.");
		return 0;
	}
	at = crm_email_find_at(s, length);
	if (at == length || memchr(s + at + 1, '@', length - at - 1) != NULL)
	{
		refuse_at(s, length, at, (int) start, check);
		return 0;
	}
	if (at == 0)
	{
		REFUSE(check, "EMAIL_LOCAL_EMPTY", (int) start, "Nothing precedes the \"@\".");
		return 0;
	}
	local_length = read_local(s, at, (int) start, local, check);
	if (local_length < 0)
		return 0;
	domain_length = crm_email_read_domain(s + at + 1, length - at - 1, (int) (start + at + 1),
								flags, domain, check);
	if (domain_length == 0)
		return 0;
	if (memchr(domain, '.', domain_length) == NULL)
	{
		REFUSE(check, "EMAIL_DOMAIN_NO_DOT", (int) (start + at + 1),
			   "The domain has no dot.");
		return 0;
	}
	octets = crm_idna_to_ascii(domain, domain_length, ascii, sizeof(ascii));
	if (octets < 0 || local_length + 1 + octets > CRM_EMAIL_MAX_PATH)
	{
		REFUSE(check, "EMAIL_LONG", -1,
			   "The address has %d octets, more than the %d that SMTP can carry.",
			   local_length + 1 + octets, CRM_EMAIL_MAX_PATH);
		return 0;
	}
	image[0] = (char) local_length;
	memcpy(image + 1, local, local_length);
	memcpy(image + 1 + local_length, domain, domain_length);
	return 1 + local_length + domain_length;
}

int
crm_email_parse(const char *text, size_t length, int flags, char *image,
				CrmCheck *check)
{
	int			size;

	crm_check_init(check);
	size = read_plain((const unsigned char *) text, length,
					  (unsigned char *) image);
	if (size > 0)
		return size;
	if (length > CRM_EMAIL_MAX_IMAGE)
	{
		REFUSE(check, "VALUE_TOO_LONG", CRM_EMAIL_MAX_IMAGE,
			   "The value has %zu bytes; the longest accepted has %d.",
			   length, CRM_EMAIL_MAX_IMAGE);
		crm_check_hint(check, "Look for a missing delimiter or a text put into the wrong field.");
		return 0;
	}
	size = read_any(text, length, flags, image, check);
	if (size == 0 && !(flags & CRM_EMAIL_NO_REPAIR))
		crm_email_repair(text, length, flags, check);
	return size;
}
