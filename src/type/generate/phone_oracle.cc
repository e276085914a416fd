/*
 * phone_oracle.cc
 *		Compares the phone type with libphonenumber on generated numbers.
 *
 * Usage: phone_oracle SEED NUMBERS JUNK
 *
 * NUMBERS numbers are drawn from the library's own patterns of every region and
 * kind, some of them spoilt by a digit, written in some style and read by both;
 * then JUNK texts are made by cutting, joining and salting such writings.
 *
 * Of every text one of these must hold, else it is printed and the program
 * fails:
 *	- both read the same number, and agree on all facts and formats of it;
 *	- the type refuses what the library refuses too;
 *	- the difference is one of the documented ones (see excuse()), each of which
 *	  is counted.
 *
 * Both sides use the same metadata: the caller links a table generated from the
 * installed library.
 */
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <phonenumbers/phonenumberutil.h>

#include "phone_metadata.h"

extern "C" {
#include "type/phone.h"
}

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;
using phone_metadata::Description;
using phone_metadata::Node;
using phone_metadata::PatternParser;
using phone_metadata::Region;
using std::string;

static std::mt19937_64 generator;
static std::map<string, long> counts;
static long failures = 0;

static unsigned
pick(unsigned n)
{
	return (unsigned) (generator() % n);
}

/* ------------------------------------------------------------- numbers --- */

static void
draw(const Node &node, string &out)
{
	switch (node.type)
	{
		case Node::SET:
			{
				unsigned	digit;

				do
					digit = pick(10);
				while ((node.mask >> digit & 1) == 0);
				out += (char) ('0' + digit);
				break;
			}
		case Node::SEQUENCE:
			for (auto &part : node.parts)
				draw(*part, out);
			break;
		case Node::ALTERNATIVES:
			draw(*node.parts[pick(node.parts.size())], out);
			break;
		case Node::GROUP:
			draw(*node.parts[0], out);
			break;
		case Node::REPEAT:
			for (int i = node.least + (int) pick(node.most - node.least + 1); i > 0; i--)
				draw(*node.parts[0], out);
			break;
		case Node::END:
			break;
	}
}

struct Source
{
	const Region *region;
	phone_metadata::NodePointer pattern;
};

/* ----------------------------------------------------------- comparing --- */

struct Answer
{
	bool		ok;
	string		e164;
	string		ext;
	PhoneNumber number;
};

static const PhoneNumberUtil *library;

static Answer
ask_library(const string &text, const string &region)
{
	Answer		answer;

	answer.ok = library->Parse(text, region.empty() ? "ZZ" : region, &answer.number) ==
		PhoneNumberUtil::NO_PARSING_ERROR;
	if (answer.ok)
	{
		library->Format(answer.number, PhoneNumberUtil::E164, &answer.e164);

		/* The library leaves the digits of an extension in their script. */
		answer.ext = answer.number.extension();
		library->NormalizeDigitsOnly(&answer.ext);
		if (!answer.ext.empty())
			answer.number.set_extension(answer.ext);
	}
	return answer;
}

static void
report(const char *what, const string &text, const string &region, const string &ours, const string &theirs)
{
	counts[string("FAILED ") + what]++;
	if (failures++ < 30)
		printf("%s: \"%s\" in %s: ours %s, the library's %s\n", what, text.c_str(),
			   region.empty() ? "no region" : region.c_str(), ours.c_str(), theirs.c_str());
}

static const char *
kind_name(PhoneNumberUtil::PhoneNumberType type)
{
	switch (type)
	{
		case PhoneNumberUtil::FIXED_LINE: return "fixed";
		case PhoneNumberUtil::MOBILE: return "mobile";
		case PhoneNumberUtil::FIXED_LINE_OR_MOBILE: return "fixed_or_mobile";
		case PhoneNumberUtil::TOLL_FREE: return "toll_free";
		case PhoneNumberUtil::PREMIUM_RATE: return "premium";
		case PhoneNumberUtil::SHARED_COST: return "shared";
		case PhoneNumberUtil::VOIP: return "voip";
		case PhoneNumberUtil::PERSONAL_NUMBER: return "personal";
		case PhoneNumberUtil::PAGER: return "pager";
		case PhoneNumberUtil::UAN: return "uan";
		case PhoneNumberUtil::VOICEMAIL: return "voicemail";
		default: return "unknown";
	}
}

/* All facts and formats of a number that both have read. */
static void
compare_facts(const CrmPhone &phone, const PhoneNumber &number, const string &text, const string &region,
			  const std::vector<const Region *> &regions)
{
	CrmPhoneInfo info;
	string		theirs;
	char		ours[CRM_PHONE_FORMATTED];
	static const struct
	{
		CrmPhoneStyle ours;
		PhoneNumberUtil::PhoneNumberFormat theirs;
		const char *name;
	}			styles[] = {
		{CRM_PHONE_INTERNATIONAL, PhoneNumberUtil::INTERNATIONAL, "international format"},
		{CRM_PHONE_NATIONAL, PhoneNumberUtil::NATIONAL, "national format"},
		{CRM_PHONE_RFC3966, PhoneNumberUtil::RFC3966, "rfc3966 format"}
	};
	auto		expect = [&](const char *what, const string &our, const string &their) {
		if (our != their)
			report(what, text, region, our, their);
	};

	crm_phone_info(&phone, &info);
	expect("country code", std::to_string(info.country_code), std::to_string(number.country_code()));
	library->GetRegionCodeForNumber(number, &theirs);
	expect("region", info.region == nullptr ? "ZZ" : info.region, theirs);
	expect("kind", crm_phone_kind_name(info.kind), kind_name(library->GetNumberType(number)));
	expect("possible", info.possible ? "yes" : "no",
		   library->IsPossibleNumberWithReason(number) == PhoneNumberUtil::IS_POSSIBLE ? "yes" : "no");
	/* The dear ones less often. */
	if (pick(3) != 0)
		return;
	for (auto &style : styles)
	{
		library->Format(number, style.theirs, &theirs);
		crm_phone_format(&phone, style.ours, ours);
		expect(style.name, ours, theirs);
	}
	if (pick(2) != 0)
		return;
	string		from = regions[pick(regions.size())]->id;

	library->FormatOutOfCountryCallingNumber(number, from, &theirs);
	crm_phone_format_from(&phone, from.c_str(), ours);
	expect("format from another region", ours, theirs);

	/* Another region of the same country code, mostly. */
	string		other = regions[pick(regions.size())]->id;

	library->GetRegionCodeForCountryCode(number.country_code(), &theirs);
	if (pick(2) == 0 && theirs != "001")
		other = theirs;
	expect("valid for a region", crm_phone_valid_for(&phone, other.c_str()) ? "yes" : "no",
		   library->IsValidNumberForRegion(number, other) ? "yes" : "no");
}

/* The digits before the first thing that is no digit. */
static string
first_group(const string &text)
{
	string		group;

	for (size_t at = 0; at < text.size();)
	{
		size_t		end = at + 1;

		while (end < text.size() && ((unsigned char) text[end] & 0xC0) == 0x80)
			end++;
		string		digit = text.substr(at, end - at);

		library->NormalizeDigitsOnly(&digit);
		if (digit.empty() && !group.empty())
			break;
		group += digit;
		at = end;
	}
	return group;
}

/*
 * Why the type may refuse what the library accepts.  Empty when there is no
 * excuse.
 */
static string
excuse(const string &text, const Region *home, const Answer &theirs, const CrmCheck &check, bool junk)
{
	string		code = check.code == nullptr ? "" : check.code;
	bool		valid = library->IsValidNumber(theirs.number);

	/* More than the library's E.164 promises. */
	if (theirs.e164.size() > 1 + CRM_PHONE_DIGITS && (code == "PHONE_TOO_LONG" || code == "PHONE_SEVERAL"))
		return "longer than E.164";
	if (theirs.e164.size() < 1 + CRM_PHONE_LEAST_DIGITS && code == "PHONE_TOO_SHORT")
		return "shorter than five digits";
	if (theirs.ext.size() > CRM_PHONE_EXTENSION && code == "PHONE_EXTENSION_TOO_LONG")
		return "extension too long";
	/* A length that ordinary numbers have not, a missing digit, no area code. */
	if (!valid && (code == "PHONE_TOO_SHORT" || code == "PHONE_TOO_LONG" || code == "PHONE_LENGTH" ||
				   code == "PHONE_LOCAL_ONLY" || code == "PHONE_SEVERAL"))
		return "not valid, " + code;
	/* "8 (347) 123-45-6": a prefix that stands alone. */
	if (valid && code == "PHONE_TOO_SHORT" && home != nullptr && text.find('+') == string::npos)
	{
		string		group = first_group(text);

		if (group == home->national_prefix || group == std::to_string(home->country_code) ||
			(home->id == "BY" && group == "80"))
			return "guess: prefix set apart";
	}
	if (!junk)
		return "";
	/* The library drops words, reads letters as keys, cuts at a second number. */
	if (code == "PHONE_LETTER" || code == "PHONE_WORDS" || code == "PHONE_SEVERAL" || code == "PHONE_CHARACTER" ||
		code == "PHONE_LINE_BREAK")
		return "guess: " + code;
	return "";
}

static bool
is_canonical(const string &text)
{
	CrmPhone	phone;

	return crm_phone_read_canonical(text.data(), text.size(), &phone);
}

/* Spaces and marks that only we take for such are given to the library as its own. */
static string
for_library(const string &text)
{
	static const std::vector<std::pair<string, string>> changes = {
		{"\xE2\x80\x8B", ""}, {"\xC2\xAD", ""}, {"\t", " "}, {"\xE2\x80\x87", " "}, {"\xE2\x80\xAF", " "}, {"\xE2\x80\xAA", ""},
		{"\xE2\x80\xAC", ""}, {"\xE2\x80\x8E", ""}, {"\xEF\xBB\xBF", ""}, {"вн", "доб"}
	};
	string		changed = text;

	for (auto &change : changes)
		for (size_t at = 0; (at = changed.find(change.first, at)) != string::npos; at += change.second.size())
			changed.replace(at, change.first.size(), change.second);
	return changed;
}

static bool
cut_at_slash(const string &text)
{
	size_t		x = text.rfind('x');

	while (x != string::npos && x > 0 && text[x - 1] == ' ')
		x--;
	return x != string::npos && x > 0 && text[x - 1] == '/';
}

static void
compare(const string &text, const string &region, const std::vector<const Region *> &regions, bool junk)
{
	Answer		theirs = ask_library(for_library(text), region);
	CrmPhone	phone;
	CrmCheck	check;
	bool		ok = crm_phone_parse(text.data(), text.size(), region.empty() ? nullptr : region.c_str(), &phone, &check);
	string		kind = junk ? "junk, " : "numbers, ";

	counts[kind + "texts"]++;
	if (!ok && !theirs.ok)
	{
		counts[kind + "both refuse"]++;
		return;
	}
	if (!ok)
	{
		const Region *home = nullptr;

		for (const Region *candidate : regions)
			if (candidate->id == region)
				home = candidate;
		string		why = excuse(text, home, theirs, check, junk);

		if (why.empty())
			report("refused", text, region, string(check.code) + " " + check.message,
				   theirs.e164 + (library->IsValidNumber(theirs.number) ? " valid" : " invalid"));
		else
			counts[kind + "refused: " + why]++;
		return;
	}

	string		e164 = "+" + string(phone.digits);
	string		ext = phone.ext_length > 0 ? string(phone.ext) : "";
	CrmPhoneInfo info;

	crm_phone_info(&phone, &info);
	if (theirs.ok && e164 == theirs.e164 && ext == theirs.ext)
	{
		counts[kind + "same"]++;
		if (info.kind != CRM_PHONE_UNKNOWN)
			counts[kind + "same and valid"]++;
		compare_facts(phone, theirs.number, text, region, regions);
		return;
	}
	/* What the type itself writes is taken as it stands. */
	if (is_canonical(text) && e164 == text.substr(0, text.find(';')))
	{
		if (!theirs.ok || info.kind != CRM_PHONE_UNKNOWN || !library->IsValidNumber(theirs.number))
			counts[kind + "canonical digits kept"]++;
		else
			report("canonical", text, region, e164, theirs.e164);
		return;
	}
	/* "253-0000/ x5": the library cuts at a slash before an x. */
	if (theirs.ok && e164 == theirs.e164 && theirs.ext.empty() && cut_at_slash(text))
	{
		counts[kind + "read: extension after a slash"]++;
		return;
	}
	/* ";доб. 105", ",] доб. 105": more before the word than the library takes. */
	if (junk && !theirs.ok && !ext.empty())
	{
		size_t		digit = text.find_first_of("0123456789\xD9\xDB\xEF");
		size_t		mark = digit == string::npos ? digit : text.find_first_of(",;#xeia\xD0", digit);

		if (mark != string::npos && ask_library(for_library(text.substr(0, mark)), region).e164 == e164)
		{
			counts[kind + "read: punctuation before an extension"]++;
			return;
		}
	}
	report("differs", text, region, e164 + " ext " + ext + " " + crm_phone_kind_name(info.kind),
		   theirs.ok ? theirs.e164 + " ext " + theirs.ext + (library->IsValidNumber(theirs.number) ? " valid" : " invalid") : "refused");
}

/* -------------------------------------------------------------- writing --- */

/* Writes a number in one of the ways of the world. */
static string
write(const Region &region, const string &national, string *home)
{
	string		e164 = "+" + std::to_string(region.country_code) + national;
	PhoneNumber number;
	string		text;
	bool		parsed = library->Parse(e164, "ZZ", &number) == PhoneNumberUtil::NO_PARSING_ERROR;
	static const char *const separators[] = {" ", "-", ".", "/", " - ", "(", ")", "\xC2\xA0", "\xE2\x80\x91", "\xE2\x88\x92", "  ", ") "};
	static const char *const zeros[] = {"\xEF\xBC\x90", "\xD9\xA0", "\xDB\xB0"};
	static const char *const ext_labels[] = {" ext. ", ";ext=", " x", " #", " доб. ", ", доб.", "ext", " extension: ", " anexo ", ",,", " int "};

	*home = region.id == "001" ? "" : region.id;
	if (pick(4) == 0)
		number.set_extension(std::to_string(pick(100000)));
	unsigned	way = pick(12);

	if (!parsed || *home == "")
		way = way % 3;
	switch (way)
	{
		case 0:
			text = e164;
			if (pick(2) == 0)
				*home = "";
			break;
		case 1:
			if (parsed)
				library->Format(number, PhoneNumberUtil::INTERNATIONAL, &text);
			else
				text = e164 + " ";
			if (pick(2) == 0)
				*home = "";
			break;
		case 2:
			if (parsed)
				library->Format(number, PhoneNumberUtil::RFC3966, &text);
			else
				text = "tel:" + e164;
			break;
		case 3:
		case 4:
			library->Format(number, PhoneNumberUtil::NATIONAL, &text);
			break;
		case 5:
			text = national;
			break;
		case 6:
			text = region.national_prefix + national;
			break;
		case 7:
			/* country code without plus */
			text = e164.substr(1);
			break;
		case 8:
			text = (region.international_prefix == "00" || region.international_prefix == "011" ?
					region.international_prefix : string("00")) + e164.substr(1);
			break;
		case 9:
			text = "+" + std::to_string(region.country_code) + " (" + region.national_prefix + ")" + national;
			break;
		default:
			/* digits with separators anywhere, sometimes of another script */
			{
				string		plain = way == 10 ? e164 : region.national_prefix + national;
				const char *zero = pick(4) == 0 ? zeros[pick(3)] : nullptr;

				for (char c : plain)
				{
					if (zero != nullptr && c >= '0' && c <= '9')
					{
						string		digit = zero;

						digit.back() = (char) (digit.back() + (c - '0'));
						text += digit;
					}
					else
						text += c;
					if (c != '+' && pick(4) == 0)
						text += separators[pick(sizeof(separators) / sizeof(separators[0]))];
				}
				if (pick(3) == 0)
				{
					const char *label = ext_labels[pick(sizeof(ext_labels) / sizeof(ext_labels[0]))];

					text += label + std::to_string(pick(9999));
				}
			}
	}
	return text;
}

static string
draw_national(const Source &source)
{
	string		national;

	draw(*source.pattern, national);
	switch (pick(8))
	{
		case 0:
			national[pick(national.size())] = (char) ('0' + pick(10));
			break;
		case 1:
			if (pick(2) == 0)
				national.insert(pick(national.size() + 1), 1, (char) ('0' + pick(10)));
			else if (national.size() > 3)
				national.erase(pick(national.size()), 1);
			break;
		default:
			break;
	}
	return national;
}

static string
salt(string text, const string &other)
{
	static const char *const pieces[] = {
		" ", "-", "(", ")", ".", "/", ",", ";", ":", "#", "x", "+", "0", "00", "8", "1", "7", "a", "o", "l", "ext", "доб", "вн.", "и",
		"Иван", "\xC2\xA0", "\xE2\x80\xAA", "\xE2\x80\xAC", "\xE2\x80\x8B", "\xC2\xAD", "\xE2\x80\xAF", "\xEF\xBC\x8B", "\t", "*", "~", "№",
		";ext=", ",,", " 12", "123456", "\n", "\\", "|", "_", "'", "[", "]", "tel:", "\xD9\xA5", "\xEF\xBC\x95", "++", "()", "--", "  "
	};

	for (int i = 1 + (int) pick(3); i > 0; i--)
		switch (pick(6))
		{
			case 0:
				if (!text.empty())
				{
					/* whole characters only */
					size_t		at = pick(text.size());

					while (at > 0 && ((unsigned char) text[at] & 0xC0) == 0x80)
						at--;
					size_t		end = at + 1;

					while (end < text.size() && ((unsigned char) text[end] & 0xC0) == 0x80)
						end++;
					text.erase(at, end - at);
				}
				break;
			case 1:
				if (pick(4) == 0)
				{
					static const char *const joints[] = {" ", ", ", "; ", " / ", ",", " и ", "\n", ""};

					text += joints[pick(8)] + other;
				}
				break;
			default:
				{
					size_t		at = pick(4) == 0 ? text.size() : pick(text.size() + 1);

					while (at < text.size() && ((unsigned char) text[at] & 0xC0) == 0x80)
						at++;
					text.insert(at, pieces[pick(sizeof(pieces) / sizeof(pieces[0]))]);
				}
		}
	return text;
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		phone_metadata::fail("usage: phone_oracle SEED NUMBERS JUNK");
	generator.seed(strtoull(argv[1], nullptr, 10));
	long		numbers = atol(argv[2]);
	long		junk = atol(argv[3]);

	library = PhoneNumberUtil::GetInstance();

	auto		plans = phone_metadata::read_plans();
	std::vector<Source> sources;
	std::vector<const Region *> regions;

	for (auto &plan : plans)
		for (const Region &region : plan.second)
		{
			auto		add = [&](const Description &description) {
				if (!description.pattern.empty())
					sources.push_back({&region, PatternParser(description.pattern).parse()});
			};

			add(region.general);
			for (const Description &kind : region.kind)
				add(kind);
			if (region.id != "001")
				regions.push_back(&region);
		}

	/* The examples of the metadata, all of them, in three writings. */
	for (auto &plan : plans)
		for (const Region &region : plan.second)
			for (const Description &kind : region.kind)
				if (!kind.example.empty())
				{
					string		home = region.id == "001" ? "" : region.id;
					string		code = std::to_string(region.country_code);

					counts["examples"]++;
					compare("+" + code + kind.example, "", regions, false);
					compare("+" + code + " " + kind.example, home, regions, false);
					if (!home.empty())
					{
						compare(kind.example, home, regions, false);
						compare(region.national_prefix + kind.example, home, regions, false);
					}
				}

	for (long i = 0; i < numbers; i++)
	{
		const Source &source = sources[(size_t) i % sources.size()];
		string		home;
		string		text = write(*source.region, draw_national(source), &home);

		compare(text, home, regions, false);
	}
	string		previous = "+79161234567";

	for (long i = 0; i < junk; i++)
	{
		const Source &source = sources[pick(sources.size())];
		string		home;
		string		text = write(*source.region, draw_national(source), &home);

		if (pick(10) == 0)
			home = pick(2) == 0 ? "" : regions[pick(regions.size())]->id;
		compare(salt(text, previous), home, regions, true);
		previous = text;
	}

	for (auto &count : counts)
		printf("%s\t%ld\n", count.first.c_str(), count.second);
	return failures > 0;
}
