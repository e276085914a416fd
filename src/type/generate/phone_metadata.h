/*
 * phone_metadata.h
 *		Reads the numbering plans that libphonenumber carries.
 *
 * The library's static archive has them as one constant, a serialised protocol
 * buffer.  What is read of its wire format is a handful of fields, so neither
 * protobuf nor the library's own code is needed here; the program that includes
 * this header links one data-only member of libphonenumber.a.
 *
 * Used at development time by the table generator and by the test that compares
 * the table with the library; no part of the module.
 */
#ifndef CRM_PHONE_METADATA_GENERATE_H
#define CRM_PHONE_METADATA_GENERATE_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

/* The constant; how it is reached has changed once over the versions. */
namespace i18n { namespace phonenumbers {
int			metadata_size();
const void *metadata_get();
} }

namespace phone_metadata {

[[noreturn]] inline void
fail(const std::string &what)
{
	fprintf(stderr, "phone metadata: %s\n", what.c_str());
	exit(1);
}

/* ---------------------------------------------------------------- wire --- */

struct Field
{
	int			number;
	uint64_t	value;			/* of a varint */
	std::string bytes;			/* of a string or message */
};

inline uint64_t
read_varint(const std::string &from, size_t &at)
{
	uint64_t	value = 0;

	for (int shift = 0; at < from.size() && shift < 64; shift += 7)
	{
		unsigned char byte = from[at++];

		value |= (uint64_t) (byte & 0x7F) << shift;
		if (byte < 0x80)
			return value;
	}
	fail("a number is cut short");
}

inline std::vector<Field>
read_message(const std::string &from)
{
	std::vector<Field> fields;
	size_t		at = 0;

	while (at < from.size())
	{
		uint64_t	key = read_varint(from, at);
		Field		field = {(int) (key >> 3), 0, ""};

		if (key == 0)
			break;				/* padding behind the last message */
		if ((key & 7) == 0)
			field.value = read_varint(from, at);
		else if ((key & 7) == 2)
		{
			uint64_t	length = read_varint(from, at);

			if (length > from.size() - at)
				fail("a string is cut short");
			field.bytes = from.substr(at, length);
			at += length;
		}
		else
			fail("a wire type that phone metadata never had");
		fields.push_back(field);
	}
	return fields;
}

/* ------------------------------------------------------------ numbering --- */

struct Format
{
	std::string pattern;
	std::string format;
	std::string leading;		/* the last, most detailed of the patterns */
	std::string national_rule;
};

struct Description
{
	std::string pattern;
	std::string example;
	std::vector<int> lengths;
	std::vector<int> local_lengths;
};

/* The kinds of numbers in the order in which the library asks for them. */
enum Kind
{
	PREMIUM_RATE, TOLL_FREE, SHARED_COST, VOIP, PERSONAL, PAGER, UAN, VOICEMAIL,
	FIXED, MOBILE, KINDS
};

struct Region
{
	std::string id;
	int			country_code = 0;
	bool		main_country = false;
	bool		same_mobile_and_fixed = false;
	std::string international_prefix;
	std::string preferred_international_prefix;
	std::string national_prefix;
	std::string prefix_for_parsing;
	std::string prefix_transform;
	std::string extension_label;
	std::string leading_digits;
	Description general;
	Description kind[KINDS];
	std::vector<Format> formats;
	std::vector<Format> international_formats;
};

inline Description
read_description(const std::string &from)
{
	Description description;

	for (const Field &field : read_message(from))
	{
		if (field.number == 2)
			description.pattern = field.bytes;
		else if (field.number == 6)
			description.example = field.bytes;
		else if (field.number == 9)
			description.lengths.push_back((int) field.value);
		else if (field.number == 10)
			description.local_lengths.push_back((int) field.value);
	}
	return description;
}

inline Format
read_format(const std::string &from)
{
	Format		format;

	for (const Field &field : read_message(from))
	{
		if (field.number == 1)
			format.pattern = field.bytes;
		else if (field.number == 2)
			format.format = field.bytes;
		else if (field.number == 3)
			format.leading = field.bytes;
		else if (field.number == 4)
			format.national_rule = field.bytes;
	}
	return format;
}

inline Region
read_region(const std::string &from)
{
	static const std::map<int, Kind> kinds = {
		{2, FIXED}, {3, MOBILE}, {4, TOLL_FREE}, {5, PREMIUM_RATE},
		{6, SHARED_COST}, {7, PERSONAL}, {8, VOIP}, {21, PAGER}, {25, UAN},
		{28, VOICEMAIL}
	};
	Region		region;

	for (const Field &field : read_message(from))
	{
		auto		kind = kinds.find(field.number);

		if (kind != kinds.end())
			region.kind[kind->second] = read_description(field.bytes);
		else
			switch (field.number)
			{
				case 1: region.general = read_description(field.bytes); break;
				case 9: region.id = field.bytes; break;
				case 10: region.country_code = (int) field.value; break;
				case 11: region.international_prefix = field.bytes; break;
				case 12: region.national_prefix = field.bytes; break;
				case 13: region.extension_label = field.bytes; break;
				case 15: region.prefix_for_parsing = field.bytes; break;
				case 16: region.prefix_transform = field.bytes; break;
				case 17: region.preferred_international_prefix = field.bytes; break;
				case 18: region.same_mobile_and_fixed = field.value != 0; break;
				case 19: region.formats.push_back(read_format(field.bytes)); break;
				case 20: region.international_formats.push_back(read_format(field.bytes)); break;
				case 22: region.main_country = field.value != 0; break;
				case 23: region.leading_digits = field.bytes; break;
				default: break;
			}
	}
	return region;
}

/* The serialised plans as the library was built with. */
inline std::string
read_bytes()
{
	return std::string((const char *) i18n::phonenumbers::metadata_get(),
					   i18n::phonenumbers::metadata_size());
}

/* All plans: for each country code its regions, the main one first. */
inline std::map<int, std::vector<Region>>
read_plans()
{
	std::map<int, std::vector<Region>> plans;

	for (const Field &field : read_message(read_bytes()))
	{
		if (field.number != 1)
			continue;
		Region		region = read_region(field.bytes);
		auto	   &regions = plans[region.country_code];

		regions.insert(region.main_country ? regions.begin() : regions.end(), region);
	}
	if (plans.empty())
		fail("there is none");
	return plans;
}

/* ------------------------------------------------------------- patterns --- */

/*
 * A regular expression of the dialect that the plans use: digits, \d, classes,
 * groups, alternatives, "?", "{n}", "{n,m}" and a last "$".  Anything else is
 * refused, so a new kind of pattern stops the generator instead of being read
 * wrongly.
 */
struct Node
{
	enum Type {SET, SEQUENCE, ALTERNATIVES, REPEAT, GROUP, END} type;
	unsigned	mask = 0;		/* SET: bit d for digit d */
	int			least = 0;		/* REPEAT */
	int			most = 0;
	int			group = 0;		/* GROUP: its number */
	std::vector<std::unique_ptr<Node>> parts;

	explicit Node(Type type) : type(type) {}
};

using NodePointer = std::unique_ptr<Node>;

class PatternParser
{
	const std::string &source;
	size_t		at = 0;
	int			groups = 0;

	[[noreturn]] void
	refuse()
	{
		fail("pattern not understood at " + std::to_string(at) + ": " + source);
	}

	int
	number()
	{
		int			value = 0;

		if (at >= source.size() || source[at] < '0' || source[at] > '9')
			refuse();
		while (at < source.size() && source[at] >= '0' && source[at] <= '9')
			value = value * 10 + (source[at++] - '0');
		return value;
	}

	NodePointer
	atom()
	{
		char		c = source[at];

		if (c >= '0' && c <= '9')
		{
			NodePointer node(new Node(Node::SET));

			node->mask = 1u << (c - '0');
			at++;
			return node;
		}
		if (source.compare(at, 2, "\\d") == 0)
		{
			NodePointer node(new Node(Node::SET));

			node->mask = 0x3FF;
			at += 2;
			return node;
		}
		if (c == '[')
		{
			NodePointer node(new Node(Node::SET));

			for (at++; at < source.size() && source[at] != ']';)
			{
				if (source.compare(at, 2, "\\d") == 0)
				{
					node->mask = 0x3FF;
					at += 2;
					continue;
				}
				if (source[at] < '0' || source[at] > '9')
					refuse();
				int			from = source[at++] - '0';
				int			to = from;

				if (at + 1 < source.size() && source[at] == '-')
				{
					to = source[at + 1] - '0';
					at += 2;
				}
				if (to < from || to > 9)
					refuse();
				for (int digit = from; digit <= to; digit++)
					node->mask |= 1u << digit;
			}
			if (at++ >= source.size())
				refuse();
			return node;
		}
		if (c == '(')
		{
			bool		capture = source.compare(at, 3, "(?:") != 0;
			int			group = capture ? ++groups : 0;

			at += capture ? 1 : 3;
			NodePointer inner = alternatives();

			if (at >= source.size() || source[at] != ')')
				refuse();
			at++;
			if (!capture)
				return inner;
			NodePointer node(new Node(Node::GROUP));

			node->group = group;
			node->parts.push_back(std::move(inner));
			return node;
		}
		if (c == '$')
		{
			at++;
			return NodePointer(new Node(Node::END));
		}
		refuse();
	}

	NodePointer
	sequence()
	{
		NodePointer node(new Node(Node::SEQUENCE));

		while (at < source.size() && source[at] != '|' && source[at] != ')')
		{
			NodePointer part = atom();
			int			least = 1;
			int			most = 1;

			if (at < source.size() && source[at] == '?')
			{
				least = 0;
				at++;
			}
			else if (at < source.size() && source[at] == '{')
			{
				at++;
				least = most = number();
				if (at < source.size() && source[at] == ',')
				{
					at++;
					most = number();
				}
				if (at >= source.size() || source[at] != '}' || most < least)
					refuse();
				at++;
			}
			if (least != 1 || most != 1)
			{
				NodePointer repeat(new Node(Node::REPEAT));

				repeat->least = least;
				repeat->most = most;
				repeat->parts.push_back(std::move(part));
				part = std::move(repeat);
			}
			node->parts.push_back(std::move(part));
		}
		return node;
	}

	NodePointer
	alternatives()
	{
		NodePointer first = sequence();

		if (at >= source.size() || source[at] != '|')
			return first;
		NodePointer node(new Node(Node::ALTERNATIVES));

		node->parts.push_back(std::move(first));
		while (at < source.size() && source[at] == '|')
		{
			at++;
			node->parts.push_back(sequence());
		}
		return node;
	}

public:
	explicit PatternParser(const std::string &source) : source(source) {}

	NodePointer
	parse(int *group_count = nullptr)
	{
		NodePointer node = alternatives();

		if (at != source.size())
			refuse();
		if (group_count)
			*group_count = groups;
		return node;
	}
};

}								/* namespace phone_metadata */

#endif							/* CRM_PHONE_METADATA_GENERATE_H */
