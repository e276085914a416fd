/*
 * email_class.h
 *		What each ASCII character may be in an address.
 */
#ifndef CRM_EMAIL_CLASS_H
#define CRM_EMAIL_CLASS_H

#include "type/email.h"

#define EMAIL_ATEXT		1		/* atom text of RFC 5321 */
#define EMAIL_LETTER	2
#define EMAIL_DIGIT		4

#define A EMAIL_ATEXT
#define L (EMAIL_ATEXT | EMAIL_LETTER)
#define D (EMAIL_ATEXT | EMAIL_DIGIT)

/* *INDENT-OFF* */
static const unsigned char crm_email_class[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
/*     !  "  #  $  %  &  '  (  )  *  +  ,  -  .  / */
	0, A, 0, A, A, A, A, A, 0, 0, A, A, 0, A, 0, A,
/*  0  1  2  3  4  5  6  7  8  9  :  ;  <  =  >  ? */
	D, D, D, D, D, D, D, D, D, D, 0, 0, 0, A, 0, A,
	0, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
/*                                   [  \  ]  ^  _ */
	L, L, L, L, L, L, L, L, L, L, L, 0, 0, 0, A, A,
	A, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
/*                                   {  |  }  ~    */
	L, L, L, L, L, L, L, L, L, L, L, A, A, A, A, 0
};
/* *INDENT-ON* */

#undef A
#undef L
#undef D

/* A-Z to a-z, all else as it is. */
static inline unsigned char
crm_email_lower(unsigned char c)
{
	return (unsigned char) (c - 'A') < 26 ? c | 0x20 : c;
}

/*
 * The end of the quoted string that s begins with, past the closing mark;
 * 0 when s begins with none, or it is not closed.
 */
static inline size_t
crm_email_quoted_length(const char *s, size_t length)
{
	size_t		i = 1;

	if (length == 0 || s[0] != '"')
		return 0;
	while (i < length && s[i] != '"')
		i += s[i] == '\\' ? 2 : 1;
	return i < length ? i + 1 : 0;
}

/*
 * The first "@" that is not inside a quoted local part; length when there is
 * none.
 */
static inline size_t
crm_email_find_at(const char *s, size_t length)
{
	size_t		i = crm_email_quoted_length(s, length);

	while (i < length && s[i] != '@')
		i++;
	return i;
}

#endif							/* CRM_EMAIL_CLASS_H */
