/*
 * email_domain.c
 *		Reading the domain of an e-mail address: ICU's mapping for what is not
 *		ASCII, our own rules for dots, hyphens and lengths.
 */
#include <stdio.h>
#include <string.h>

#include "text/idna.h"
#include "text/utf8.h"
#include "type/email_class.h"
#include "type/email_read.h"

const char *
crm_email_show(uint32_t c, char *buffer, size_t size)
{
	if (c > 0x20 && c < 0x7F)
		snprintf(buffer, size, "\"%c\"", (char) c);
	else
		snprintf(buffer, size, "U+%04X", (unsigned) c);
	return buffer;
}

bool
crm_email_accept_character(uint32_t c, int position, bool domain, CrmCheck *check)
{
	char		shown[16];

	if (crm_is_space(c) && c != '\n' && c != '\r')
	{
		REFUSE(check, "EMAIL_SPACE", position, "White space (%s) inside the address.",
			   c == ' ' ? "a blank" : crm_email_show(c, shown, sizeof(shown)));
		crm_check_hint(check, "Put one address, and nothing else, into a value.");
		return false;
	}
	if (crm_is_control(c))
	{
		REFUSE(check, "EMAIL_CONTROL", position,
			   "The control character %s inside the address.",
			   crm_email_show(c, shown, sizeof(shown)));
		return false;
	}
	/* UTS #46 allows the joiners in domains, where they are needed. */
	if (crm_is_invisible(c) && !(domain && (c == 0x200C || c == 0x200D)))
	{
		REFUSE(check, "EMAIL_INVISIBLE", position,
			   "The invisible or direction-changing character %s inside the address.",
			   crm_email_show(c, shown, sizeof(shown)));
		return false;
	}
	if (crm_is_meaningless(c))
	{
		REFUSE(check, "EMAIL_CHARACTER", position,
			   "The character %s has no meaning that sender and receiver share.",
			   crm_email_show(c, shown, sizeof(shown)));
		return false;
	}
	return true;
}

bool
crm_email_trim(const char *s, size_t *start, size_t *end)
{
	size_t		old_start = *start;
	size_t		old_end = *end;
	uint32_t	c;

	while (*start < *end)
	{
		int			n = crm_utf8_decode(s + *start, *end - *start, &c);

		if (!crm_is_space(c) && !crm_is_invisible(c))
			break;
		*start += n;
	}
	while (*start < *end)
	{
		size_t		previous = crm_utf8_previous(s, *end);

		crm_utf8_decode(s + previous, *end - previous, &c);
		if (!crm_is_space(c) && !crm_is_invisible(c))
			break;
		*end = previous;
	}
	return *start != old_start || *end != old_end;
}

/* Whether the third and the fourth character of a label are hyphens. */
static bool
has_reserved_hyphens(const char *label, size_t length)
{
	uint32_t	code;
	size_t		i = 0;

	for (int skipped = 0; skipped < 2; skipped++)
	{
		if (i >= length)
			return false;
		i += crm_utf8_decode(label + i, length - i, &code);
	}
	return i + 1 < length && label[i] == '-' && label[i + 1] == '-';
}

/* The dots, hyphens and lengths of a mapped domain; false when refused. */
static bool
check_labels(const char *s, size_t length, int offset, bool exact, CrmCheck *check)
{
	size_t		start = 0;
	size_t		total = 0;
	bool		address = true;
	char		ascii[CRM_EMAIL_BUFFER];

#define POSITION(i) (exact ? offset + (int) (i) : offset)
	for (size_t end = 0; end <= length; end++)
	{
		size_t		n = end - start;
		int			octets = (int) n;
		bool		plain;
		bool		digits = true;
		bool		letters = true;

		if (end < length && s[end] != '.')
			continue;
		if (n == 0)
		{
			REFUSE(check, "EMAIL_DOMAIN_DOT", POSITION(end),
				   start == 0 ? "The domain begins with a dot." :
				   end == length ? "The address ends with a dot." :
				   "Two dots in a row in the domain.");
			return false;
		}
		if (s[start] == '-' || s[end - 1] == '-')
		{
			REFUSE(check, "EMAIL_DOMAIN_HYPHEN", POSITION(start),
				   "A label of the domain %s with a hyphen.",
				   s[start] == '-' ? "begins" : "ends");
			return false;
		}
		plain = crm_is_ascii(s + start, n);
		if (!plain)
			octets = crm_idna_to_ascii(s + start, n, ascii, sizeof(ascii));
		if (octets < 0 || octets > CRM_EMAIL_MAX_LABEL)
		{
			REFUSE(check, "EMAIL_LABEL_LONG", POSITION(start),
				   "A label of the domain has more than %d octets.",
				   CRM_EMAIL_MAX_LABEL);
			return false;
		}
		if (has_reserved_hyphens(s + start, n))
		{
			/* What was "xn--" is decoded by now. */
			if (!plain || (s[start] == 'x' && s[start + 1] == 'n'))
			{
				REFUSE(check, "EMAIL_DOMAIN_PUNYCODE", POSITION(start),
					   "A label of the domain has hyphens in its third and fourth place, which only the \"xn--\" of a valid encoded name may have.");
				return false;
			}
			NOTE(check, CRM_CHECK_ODD, "EMAIL_DOMAIN_HYPHENS", POSITION(start),
				 "A label of the domain has hyphens in its third and fourth place, which are reserved.");
		}
		for (size_t i = start; i < end; i++)
		{
			digits &= s[i] >= '0' && s[i] <= '9';
			letters &= (unsigned char) s[i] >= 0x80 ||
				(crm_email_class[(unsigned char) s[i]] & EMAIL_LETTER);
		}
		address &= digits;
		total += octets + (end < length);
		if (end == length)
		{
			if (digits)
			{
				REFUSE(check, address ? "EMAIL_DOMAIN_IP" : "EMAIL_TLD_NUMERIC",
					   POSITION(start), address ?
					   "An IP address stands in place of a domain." :
					   "The last label of the domain has digits only.");
				return false;
			}
			if (!letters || n < 2)
				NOTE(check, CRM_CHECK_ODD, "EMAIL_TLD_UNUSUAL", POSITION(start),
					 "There is no top-level domain of this form.");
		}
		start = end + 1;
	}
#undef POSITION
	if (total > CRM_EMAIL_MAX_DOMAIN)
	{
		REFUSE(check, "EMAIL_DOMAIN_LONG", offset,
			   "The domain has %zu octets, more than %d.", total,
			   CRM_EMAIL_MAX_DOMAIN);
		return false;
	}
	return true;
}

/* What ICU said; false when it means a refusal. */
static bool
accept_mapping(unsigned errors, int offset, CrmCheck *check)
{
	const char *why;

	if (errors & CRM_IDNA_UNAVAILABLE)
	{
		REFUSE(check, "EMAIL_DOMAIN_ICU", offset,
			   "The ICU library cannot load its data for international domain names.");
		return false;
	}
	if (errors & CRM_IDNA_PUNYCODE)
	{
		REFUSE(check, "EMAIL_DOMAIN_PUNYCODE", offset,
			   "A label that begins with \"xn--\" does not decode to a valid name.");
		return false;
	}
	if (errors & CRM_IDNA_UNASSIGNED)
	{
		NOTE(check, CRM_CHECK_ODD, "EMAIL_DOMAIN_UNASSIGNED", offset,
			 "The domain has a character that this server's ICU does not know.");
		return true;
	}
	why = errors & CRM_IDNA_DISALLOWED ? "a character that domain names may not have" :
		errors & CRM_IDNA_COMBINING_START ? "a combining mark at the start of a label" :
		errors & CRM_IDNA_BIDI ? "left-to-right and right-to-left characters mixed in a forbidden way" :
		errors & CRM_IDNA_JOINER ? "an invisible joiner where it has no effect" :
		errors & CRM_IDNA_OTHER ? "something that UTS #46 forbids" : NULL;
	if (why == NULL)
		return true;			/* dots, hyphens, lengths: check_labels() */
	REFUSE(check, "EMAIL_DOMAIN_IDNA", offset, "The domain has %s.", why);
	return false;
}

int
crm_email_read_domain(const char *s, size_t length, int offset, int flags, char *out,
			CrmCheck *check)
{
	bool		ascii = true;
	bool		encoded = false;
	int			n = (int) length;
	char		shown[16];

	if (length == 0)
	{
		REFUSE(check, "EMAIL_DOMAIN_EMPTY", offset, "Nothing follows the \"@\".");
		return 0;
	}
	if (s[0] == '[')
	{
		REFUSE(check, "EMAIL_DOMAIN_LITERAL", offset,
			   "An IP address in square brackets stands in place of a domain.");
		crm_check_hint(check, "Addresses of persons and companies have a domain name.");
		return 0;
	}
	for (size_t i = 0; i < length;)
	{
		uint32_t	c;
		int			position = offset + (int) i;

		n = crm_utf8_decode(s + i, length - i, &c);
		if (c < 0x80)
		{
			out[i] = (char) crm_email_lower((unsigned char) c);
			if (out[i] == 'x' && length - i > 4 && s[i + 2] == '-' &&
				s[i + 3] == '-' && (s[i + 1] | 0x20) == 'n' &&
				(i == 0 || s[i - 1] == '.'))
				encoded = true;
		}
		else
			ascii = false;
		if (c == '(' || c == ')')
		{
			REFUSE(check, "EMAIL_COMMENT", position,
				   "A comment in round brackets is no part of an address.");
			return 0;
		}
		if (!crm_email_accept_character(c, position, true, check))
			return 0;
		if (c < 0x80 && c != '.' && c != '-' &&
			!(crm_email_class[c] & (EMAIL_LETTER | EMAIL_DIGIT)))
		{
			REFUSE(check, "EMAIL_DOMAIN_CHARACTER", position,
				   "The character %s may not stand in a domain.",
				   crm_email_show(c, shown, sizeof(shown)));
			return 0;
		}
		i += n;
	}
	n = (int) length;
	if (!ascii || encoded)
	{
		unsigned	errors;

		if (flags & CRM_EMAIL_ASCII_ONLY)
		{
			REFUSE(check, "EMAIL_NEEDS_UTF8", offset,
				   "An international domain needs a database in the encoding UTF8.");
			return 0;
		}
		n = crm_idna_to_unicode(s, length, out, CRM_EMAIL_BUFFER, &errors);
		if (!accept_mapping(errors, offset, check))
			return 0;
		if (n <= 0)
		{
			REFUSE(check, n < 0 ? "EMAIL_DOMAIN_LONG" : "EMAIL_DOMAIN_EMPTY", offset,
				   n < 0 ? "The domain is too long." : "Nothing that can be seen follows the \"@\".");
			return 0;
		}
	}
	return check_labels(out, n, offset, ascii && !encoded, check) ? n : 0;
}

int
crm_email_parse_domain(const char *text, size_t length, int flags, char *out,
					   CrmCheck *check)
{
	size_t		start = 0;
	size_t		end = length;

	crm_check_init(check);
	if (length > CRM_EMAIL_MAX_IMAGE)
	{
		REFUSE(check, "VALUE_TOO_LONG", CRM_EMAIL_MAX_IMAGE,
			   "The value has %zu bytes; the longest accepted has %d.",
			   length, CRM_EMAIL_MAX_IMAGE);
		return 0;
	}
	if (crm_utf8_check(text, length) < length)
	{
		REFUSE(check, "EMAIL_ENCODING", -1, "The bytes are not valid UTF-8.");
		return 0;
	}
	crm_email_trim(text, &start, &end);
	if (end > start && text[start] == '@')
		start++;
	return crm_email_read_domain(text + start, end - start, (int) start, flags, out, check);
}
