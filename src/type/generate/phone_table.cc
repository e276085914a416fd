/*
 * phone_table.cc
 *		Turns libphonenumber's numbering plans into src/type/phone_table.inc.
 *
 * Every pattern of a national number is a finite language over ten digits, so
 * all patterns of all regions of a country code (what is a number at all, what
 * kind of number, which region, which way of writing) run at once in one
 * deterministic automaton; what they say of a number that ends in a state is
 * that state's verdict.  Equal states of all countries are then made one.
 * Prefixes (what is dialled before a number) are few and have captures, so they
 * become short programs for a backtracking matcher.
 *
 * Usage: phone_table VERSION > src/type/phone_table.inc
 */
#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "phone_metadata.h"

using namespace phone_metadata;

/* ----------------------------------------- from patterns to an automaton --- */

/* A nondeterministic automaton; a state is a step on some digits or a fork. */
struct Nfa
{
	struct State
	{
		unsigned	mask;
		int			next;
		int			fork[2];
		int			accept;		/* number of the pattern, or -1 */
	};

	std::vector<State> states;

	int
	add(unsigned mask, int next, int fork0, int fork1, int accept)
	{
		states.push_back({mask, next, {fork0, fork1}, accept});
		return (int) states.size() - 1;
	}

	/* The state from which node leads to next. */
	int
	build(const Node &node, int next)
	{
		switch (node.type)
		{
			case Node::SET:
				return add(node.mask, next, -1, -1, -1);
			case Node::GROUP:
				return build(*node.parts[0], next);
			case Node::SEQUENCE:
				for (size_t i = node.parts.size(); i-- > 0;)
					next = build(*node.parts[i], next);
				return next;
			case Node::ALTERNATIVES:
			{
				int			fork = build(*node.parts.back(), next);

				for (size_t i = node.parts.size() - 1; i-- > 0;)
				{
					int			branch = build(*node.parts[i], next);

					fork = add(0, -1, branch, fork, -1);
				}
				return fork;
			}
			case Node::REPEAT:
			{
				int			end = next;

				for (int i = node.least; i < node.most; i++)
				{
					int			more = build(*node.parts[0], next);

					next = add(0, -1, more, end, -1);
				}
				for (int i = 0; i < node.least; i++)
					next = build(*node.parts[0], next);
				return next;
			}
			case Node::END:
				fail("\"$\" in the pattern of a number");
		}
		abort();
	}

	void
	close(int state, std::set<int> &into) const
	{
		const State &s = states[state];

		if (s.fork[0] >= 0)
		{
			close(s.fork[0], into);
			close(s.fork[1], into);
		}
		else
			into.insert(state);
	}
};

struct Verdict
{
	unsigned	general = 0;	/* bit i: region i's general pattern matches */
	unsigned	valid = 0;		/* bit i: a valid number of region i */
	int			region = 0;		/* 1 + the region that it belongs to */
	int			kind = 0;
	int			national = 0;	/* number of the format */
	int			international = 0;

	auto
	key() const
	{
		return std::make_tuple(general, valid, region, kind, national, international);
	}
};

/* Kinds as phone_plan.h has them. */
enum {NONE_KIND, FIXED_KIND, MOBILE_KIND, FIXED_OR_MOBILE_KIND};
static const int kind_number[KINDS] = {5, 4, 6, 7, 8, 9, 10, 11, FIXED_KIND, MOBILE_KIND};

static const int MOST_DIGITS = 18;

struct State
{
	std::array<int, 10> next;
	int			verdict;
};

static std::vector<State> states;
static std::vector<Verdict> verdicts;
static std::map<decltype(Verdict().key()), int> verdict_numbers;

static int
number_of_verdict(const Verdict &verdict)
{
	auto		known = verdict_numbers.find(verdict.key());

	if (known != verdict_numbers.end())
		return known->second;
	verdicts.push_back(verdict);
	return verdict_numbers[verdict.key()] = (int) verdicts.size() - 1;
}

/* --------------------------------------------------------------- formats --- */

/* Bounds of the digit groups, "3-3 2-9", with the template that joins them. */
static std::vector<std::pair<std::string, std::string>> formats = {{"", ""}};
static std::map<std::pair<std::string, std::string>, int> format_numbers;

static std::string
format_groups(const std::string &pattern)
{
	NodePointer root = PatternParser(pattern).parse();
	std::string groups;

	/* A sequence of groups, each a run of any digits. */
	for (auto &part : root->parts)
	{
		if (root->type != Node::SEQUENCE || part->type != Node::GROUP)
			fail("a format is more than groups of digits: " + pattern);
		const Node *run = part->parts[0].get();
		int			least = 1;
		int			most = 1;

		if (run->type == Node::SEQUENCE && run->parts.size() == 1)
			run = run->parts[0].get();
		if (run->type == Node::REPEAT)
		{
			least = run->least;
			most = run->most;
			run = run->parts[0].get();
		}
		if (run->type != Node::SET || run->mask != 0x3FF || most > 15)
			fail("a format is more than groups of digits: " + pattern);
		groups += (char) ('@' + least);
		groups += (char) ('@' + most);
	}
	return groups;
}

static int
number_of_format(const Format &format, bool national)
{
	std::string template_ = format.format;

	if (national && !format.national_rule.empty())
	{
		/* The rule's $1 stands for the first group that the format writes. */
		size_t		at = template_.find('$');
		size_t		dollar = format.national_rule.find("$1");
		std::string rule = format.national_rule;

		if (at == std::string::npos || dollar == std::string::npos)
			fail("a rule of the national prefix without $1");
		rule.replace(dollar, 2, template_.substr(at, 2));
		template_.replace(at, 2, rule);
	}
	std::pair<std::string, std::string> entry(format_groups(format.pattern), template_);
	auto		known = format_numbers.find(entry);

	if (known != format_numbers.end())
		return known->second;
	formats.push_back(entry);
	return format_numbers[entry] = (int) formats.size() - 1;
}

/* ------------------------------------------------- one country's automaton --- */

class CountryBuilder
{
	const std::vector<Region> &regions;
	Nfa			nfa;
	std::vector<int> starts;
	int			patterns = 0;

	struct RegionPatterns
	{
		int			general;
		int			leading;
		int			kind[KINDS];
	};

	struct FormatPatterns
	{
		int			pattern;
		int			leading;
		int			number;
	};

	std::vector<RegionPatterns> of_region;
	std::vector<FormatPatterns> national;
	std::vector<FormatPatterns> international;

	/* Adds a pattern; a prefix accepts whatever follows it. */
	int
	add(const std::string &pattern, bool prefix)
	{
		if (pattern.empty())
			return -1;
		int			id = patterns++;
		int			end = nfa.add(0, -1, -1, -1, id);

		if (prefix)
		{
			nfa.states[end].mask = 0x3FF;
			nfa.states[end].next = end;
		}
		starts.push_back(nfa.build(*PatternParser(pattern).parse(), end));
		return id;
	}

	std::vector<FormatPatterns>
	add_formats(const std::vector<Format> &list, bool for_national)
	{
		std::vector<FormatPatterns> added;

		for (const Format &format : list)
			added.push_back({add(format.pattern, false), add(format.leading, true),
							number_of_format(format, for_national)});
		return added;
	}

	static bool
	length_fits(const Description &description, int length)
	{
		return description.lengths.empty() ||
			std::find(description.lengths.begin(), description.lengths.end(), length) !=
			description.lengths.end();
	}

	int
	kind_of(const Region &region, const RegionPatterns &p, const std::vector<bool> &accepted, int length)
	{
		auto		matches = [&](int id, const Description &description) {
			return id >= 0 && accepted[id] && length_fits(description, length);
		};

		if (!matches(p.general, region.general))
			return NONE_KIND;
		for (int k = 0; k < FIXED; k++)
			if (matches(p.kind[k], region.kind[k]))
				return kind_number[k];
		bool		mobile = matches(p.kind[MOBILE], region.kind[MOBILE]);

		if (matches(p.kind[FIXED], region.kind[FIXED]))
			return region.same_mobile_and_fixed || mobile ? FIXED_OR_MOBILE_KIND : FIXED_KIND;
		return mobile && !region.same_mobile_and_fixed ? MOBILE_KIND : NONE_KIND;
	}

	static int
	choose(const std::vector<FormatPatterns> &list, const std::vector<bool> &accepted)
	{
		for (const FormatPatterns &format : list)
			if (accepted[format.pattern] && (format.leading < 0 || accepted[format.leading]))
				return format.number;
		return 0;
	}

	Verdict
	judge(const std::set<int> &set, int length)
	{
		std::vector<bool> accepted(patterns, false);
		Verdict		verdict;

		for (int state : set)
			if (nfa.states[state].accept >= 0)
				accepted[nfa.states[state].accept] = true;
		for (size_t i = 0; i < regions.size(); i++)
		{
			int			kind = kind_of(regions[i], of_region[i], accepted, length);

			if (of_region[i].general >= 0 && accepted[of_region[i].general])
			{
				/* So that phone_parse.c may look at the length first. */
				const auto &local = regions[i].general.local_lengths;

				if (!length_fits(regions[i].general, length) &&
					std::find(local.begin(), local.end(), length) == local.end())
					fail("a general pattern matches a length that is not listed: " + regions[i].id);
				verdict.general |= 1u << i;
			}
			if (kind != NONE_KIND)
				verdict.valid |= 1u << i;
			if (verdict.region == 0 &&
				(regions.size() == 1 ||
				 (of_region[i].leading >= 0 ? (bool) accepted[of_region[i].leading] : kind != NONE_KIND)))
			{
				verdict.region = (int) i + 1;
				verdict.kind = kind;
			}
		}
		verdict.national = choose(national, accepted);
		verdict.international = choose(international.empty() ? national : international, accepted);
		return verdict;
	}

public:
	explicit CountryBuilder(const std::vector<Region> &regions) : regions(regions)
	{
		if (regions.size() > 32)
			fail("more than 32 regions share a country code");
		for (const Region &region : regions)
		{
			RegionPatterns p;

			p.general = add(region.general.pattern, false);
			p.leading = add(region.leading_digits, true);
			for (int k = 0; k < KINDS; k++)
				p.kind[k] = add(region.kind[k].pattern, false);
			of_region.push_back(p);
		}
		national = add_formats(regions[0].formats, true);
		if (regions[0].international_formats.empty())
			international = add_formats(regions[0].formats, false);
		else
			international = add_formats(regions[0].international_formats, false);
	}

	/* Adds the country's states; returns the first. */
	int
	build()
	{
		using Key = std::pair<int, std::set<int>>;
		std::map<Key, int> known;
		std::vector<Key> queue;
		std::set<int> start;
		size_t		base = states.size();

		auto		enter = [&](const Key &key) {
			auto		found = known.find(key);

			if (found != known.end())
				return found->second;
			int			number = (int) (base + queue.size());

			known[key] = number;
			queue.push_back(key);
			return number;
		};

		for (int state : starts)
			nfa.close(state, start);
		enter({0, start});
		for (size_t i = 0; i < queue.size(); i++)
		{
			Key			key = queue[i];
			State		state;

			state.verdict = number_of_verdict(judge(key.second, key.first));
			for (int digit = 0; digit < 10; digit++)
			{
				std::set<int> next;

				for (int from : key.second)
					if (nfa.states[from].mask >> digit & 1)
						nfa.close(nfa.states[from].next, next);
				state.next[digit] = enter({std::min(key.first + 1, MOST_DIGITS), next});
			}
			states.push_back(state);
		}
		return (int) base;
	}
};

/* Makes equal states one: refines a partition until it no longer splits. */
static std::vector<int>
minimise()
{
	std::vector<int> block(states.size());
	size_t		count = 0;

	for (size_t i = 0; i < states.size(); i++)
		block[i] = states[i].verdict;
	for (;;)
	{
		std::map<std::array<int, 11>, int> split;
		std::vector<int> refined(states.size());

		for (size_t i = 0; i < states.size(); i++)
		{
			std::array<int, 11> signature;

			signature[10] = block[i];
			for (int digit = 0; digit < 10; digit++)
				signature[digit] = block[states[i].next[digit]];
			refined[i] = split.insert({signature, (int) split.size()}).first->second;
		}
		block = refined;
		if (split.size() == count)
			return block;
		count = split.size();
	}
}

/* -------------------------------------------------------- prefix programs --- */

/* Words as phone_plan.c runs them; word 0 is the empty program "no match". */
static std::vector<int> program = {0x5000};
static std::map<std::string, int> program_starts;

enum {JUMP = 0x1000, FORK = 0x2000, SAVE = 0x3000, END_OF_INPUT = 0x4000, FAIL = 0x5000, MATCH = 0x6000};

static void
emit(const Node &node)
{
	switch (node.type)
	{
		case Node::SET:
			program.push_back((int) node.mask);
			break;
		case Node::END:
			program.push_back(END_OF_INPUT);
			break;
		case Node::GROUP:
			program.push_back(SAVE | node.group * 2);
			emit(*node.parts[0]);
			program.push_back(SAVE | (node.group * 2 + 1));
			break;
		case Node::SEQUENCE:
			for (auto &part : node.parts)
				emit(*part);
			break;
		case Node::REPEAT:
			for (int i = 0; i < node.least; i++)
				emit(*node.parts[0]);
			{
				/* Greedy: each further one is tried before going on. */
				std::vector<size_t> forks;

				for (int i = node.least; i < node.most; i++)
				{
					forks.push_back(program.size());
					program.push_back(FORK);
					emit(*node.parts[0]);
				}
				for (size_t fork : forks)
					program[fork] |= (int) (program.size() - fork);
			}
			break;
		case Node::ALTERNATIVES:
			{
				std::vector<size_t> jumps;

				for (size_t i = 0; i < node.parts.size(); i++)
				{
					size_t		fork = program.size();
					bool		last = i + 1 == node.parts.size();

					if (!last)
						program.push_back(FORK);
					emit(*node.parts[i]);
					if (!last)
					{
						jumps.push_back(program.size());
						program.push_back(JUMP);
						program[fork] |= (int) (program.size() - fork);
					}
				}
				for (size_t jump : jumps)
					program[jump] |= (int) (program.size() - jump);
			}
			break;
	}
}

/* Returns where the program of the pattern starts; 0 for none. */
static int
number_of_program(const std::string &pattern, int *groups)
{
	if (pattern.empty())
	{
		*groups = 0;
		return 0;
	}
	NodePointer root = PatternParser(pattern).parse(groups);
	auto		known = program_starts.find(pattern);

	if (*groups > 2)
		fail("a prefix with more than two groups: " + pattern);
	if (known != program_starts.end())
		return known->second;
	int			start = (int) program.size();

	emit(*root);
	program.push_back(MATCH);
	return program_starts[pattern] = start;
}

/* ------------------------------------------------------------------ output --- */

static void
print_numbers(const char *declaration, const std::vector<int> &numbers)
{
	printf("%s = {", declaration);
	int			column = 1000;

	for (int number : numbers)
	{
		std::string text = std::to_string(number) + ",";

		if (column + (int) text.size() > 96)
		{
			printf("\n\t");
			column = 4;
		}
		printf("%s", text.c_str());
		column += (int) text.size();
	}
	printf("\n};\n\n");
}

static std::string
quoted(const std::string &text)
{
	for (char c : text)
		if (c == '"' || c == '\\' || c < ' ' || c > '~')
			fail("an unexpected character in a string of the metadata");
	return "\"" + text + "\"";
}

static unsigned
length_mask(const std::vector<int> &lengths)
{
	unsigned	mask = 0;

	for (int length : lengths)
		if (length > 0 && length < 32)
			mask |= 1u << length;
	return mask;
}

/* Lengths of fixed and mobile numbers, of all where there are neither. */
static unsigned
usual_lengths(const Region &region)
{
	unsigned	mask = 0;

	for (Kind kind : {FIXED, MOBILE})
		if (!region.kind[kind].pattern.empty())
			mask |= length_mask(region.kind[kind].lengths.empty() ?
								region.general.lengths : region.kind[kind].lengths);
	return mask != 0 ? mask : length_mask(region.general.lengths);
}

/* A prefix that is digits only, perhaps with a pause: the one to be dialled. */
static std::string
single_prefix(const Region &region)
{
	if (!region.preferred_international_prefix.empty())
		return region.preferred_international_prefix;
	for (char c : region.international_prefix)
		if ((c < '0' || c > '9') && c != '~')
			return "";
	return region.international_prefix;
}

/* 64-bit FNV-1a, to tell two states of the metadata apart. */
static unsigned long long
fingerprint(const std::string &bytes)
{
	unsigned long long hash = 14695981039346656037ULL;

	for (unsigned char byte : bytes)
		hash = (hash ^ byte) * 1099511628211ULL;
	return hash;
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		fail("usage: phone_table VERSION");

	std::map<int, std::vector<Region>> plans = read_plans();
	std::map<int, int> roots;

	number_of_verdict(Verdict());
	for (auto &plan : plans)
		roots[plan.first] = CountryBuilder(plan.second).build();

	std::vector<int> block = minimise();
	std::map<int, int> number_of_block;
	std::vector<int> representative;

	/* In order of first use, so that neighbours in a walk are neighbours. */
	for (size_t i = 0; i < states.size(); i++)
		if (number_of_block.insert({block[i], (int) representative.size()}).second)
			representative.push_back((int) i);
	if (representative.size() > 65535)
		fail("more states than 16 bits can number");

	/*
	 * A state is ten successors, mostly few different ones.  It is stored as
	 * the list of the different ones and the number of a pattern that says
	 * which digit leads to which.
	 */
	std::map<std::array<int, 10>, int> spreads;
	std::vector<int> spread_list, state_spread, state_verdict, state_base, targets;
	std::map<std::vector<int>, int> target_starts;

	for (int r : representative)
	{
		std::array<int, 10> spread;
		std::vector<int> different;

		for (int digit = 0; digit < 10; digit++)
		{
			int			target = number_of_block[block[states[r].next[digit]]];
			size_t		at = std::find(different.begin(), different.end(), target) - different.begin();

			if (at == different.size())
				different.push_back(target);
			spread[digit] = (int) at;
		}
		auto		inserted = spreads.insert({spread, (int) spreads.size()});

		if (inserted.second)
			spread_list.insert(spread_list.end(), spread.begin(), spread.end());
		auto		start = target_starts.insert({different, (int) targets.size()});

		if (start.second)
			targets.insert(targets.end(), different.begin(), different.end());
		state_spread.push_back(inserted.first->second);
		state_base.push_back(start.first->second);
		state_verdict.push_back(states[r].verdict);
	}

	printf("/*\n"
		   " * phone_table.inc\n"
		   " *\t\tNumbering plans of all countries. Generated, not to be edited: see\n"
		   " *\t\t\"make update-phone-metadata\".\n"
		   " *\n"
		   " * Facts taken from the metadata of libphonenumber %s\n"
		   " * (https://github.com/google/libphonenumber, Apache License 2.0), as built into\n"
		   " * Debian's package libphonenumber-dev.\n"
		   " */\n\n", argv[1]);
	printf("#define PHONE_METADATA_VERSION \"%s\"\n", argv[1]);
	printf("#define PHONE_METADATA_FINGERPRINT 0x%016llxULL\n\n", fingerprint(read_bytes()));

	print_numbers("static const uint8_t phone_spread[]", spread_list);
	if (targets.size() > 65535 || spread_list.size() > 65535)
		fail("more successors than 16 bits can number");

	/*
	 * Most numbers end in digits of which none decides anything: a state that
	 * any digit leads out of the same way also has the length of that stretch
	 * and the last state of it from which a number may still come.
	 */
	std::vector<int> only(representative.size(), -1);
	std::vector<bool> dead(representative.size(), false);
	std::vector<int> state_words;

	for (size_t i = 0; i < representative.size(); i++)
	{
		bool		any = true;

		for (int digit = 1; digit < 10; digit++)
			any = any && spread_list[state_spread[i] * 10 + digit] == spread_list[state_spread[i] * 10];
		if (any && targets[state_base[i]] != (int) i)
			only[i] = targets[state_base[i]];
		dead[i] = any && targets[state_base[i]] == (int) i;
	}
	for (size_t i = 0; i < representative.size(); i++)
	{
		int			stretch = 0;
		int			behind = (int) i;

		for (; only[behind] >= 0 && !dead[only[behind]] && stretch < 32; stretch++)
			behind = only[behind];
		state_words.insert(state_words.end(), {state_spread[i] * 10, state_base[i], state_verdict[i], stretch, behind});
	}
	print_numbers("/* of each state: its spread, its successors, its verdict, its stretch, the state behind */\nstatic const uint16_t phone_state[]", state_words);
	print_numbers("static const uint16_t phone_target[]", targets);

	printf("static const PhoneVerdict phone_verdict[] = {\n");
	for (const Verdict &v : verdicts)
		printf("\t{0x%x, 0x%x, %d, %d, %d, %d},\n", v.general, v.valid, v.region, v.kind,
			   v.national, v.international);
	printf("};\n\nstatic const PhoneFormat phone_format[] = {\n");
	for (auto &format : formats)
		printf("\t{%s, %s},\n", quoted(format.first).c_str(), quoted(format.second).c_str());
	printf("};\n\n");

	/* Regions and countries. */
	std::vector<std::string> region_lines, country_lines;
	std::vector<int> country_of_code(1000, 0);
	std::vector<std::pair<std::string, int>> by_name;

	country_lines.push_back("{0, 0, 0, 0}");
	for (auto &plan : plans)
	{
		if (plan.first < 1 || plan.first > 999 || plan.second.size() > 255)
			fail("a country code of more than three digits");
		country_of_code[plan.first] = (int) country_lines.size();
		country_lines.push_back("{" + std::to_string(plan.first) + ", " +
								std::to_string(number_of_block[block[roots[plan.first]]]) + ", " +
								std::to_string(region_lines.size()) + ", " +
								std::to_string(plan.second.size()) + "}");
		int			index = 0;

		for (const Region &region : plan.second)
		{
			int			groups, idd_groups;
			int			prefix = number_of_program(region.prefix_for_parsing, &groups);
			int			idd = number_of_program(region.international_prefix, &idd_groups);
			char		line[400];

			if (region.id != "001")
				by_name.push_back({region.id, (int) region_lines.size()});
			snprintf(line, sizeof(line),
					 "{%s, %d, %d, %d, %d, %d, 0x%x, 0x%x, 0x%x, %s, %s, %s, %s}",
					 quoted(region.id).c_str(), (int) country_lines.size() - 1, index++,
					 prefix, groups, idd,
					 length_mask(region.general.lengths), length_mask(region.general.local_lengths),
					 usual_lengths(region),
					 quoted(region.prefix_transform).c_str(),
					 quoted(region.national_prefix).c_str(),
					 quoted(single_prefix(region)).c_str(),
					 quoted(region.extension_label).c_str());
			region_lines.push_back(line);
		}
	}
	printf("static const PhoneRegion phone_region[] = {\n");
	for (auto &line : region_lines)
		printf("\t%s,\n", line.c_str());
	printf("};\n\nstatic const PhoneCountry phone_country[] = {\n");
	for (auto &line : country_lines)
		printf("\t%s,\n", line.c_str());
	printf("};\n\n");
	print_numbers("static const uint8_t phone_country_of_code[1000]", country_of_code);

	std::vector<int> letters(26 * 26, 0);

	for (auto &name : by_name)
	{
		if (name.first.size() != 2)
			fail("a region of other than two letters: " + name.first);
		letters[(name.first[0] - 'A') * 26 + name.first[1] - 'A'] = name.second + 1;
	}
	print_numbers("/* 1 + index of the region, by its two letters */\nstatic const uint16_t phone_region_of_letters[26 * 26]", letters);
	print_numbers("static const uint16_t phone_program[]", program);

	fprintf(stderr, "%zu country codes, %zu regions, %zu states (%zu before), %zu verdicts, %zu formats, %zu program words, about %zu bytes\n",
			plans.size(), region_lines.size(), representative.size(), states.size(), verdicts.size(), formats.size(), program.size(),
			representative.size() * 10 + targets.size() * 2 + spread_list.size() + verdicts.size() * 16 + program.size() * 2 + region_lines.size() * 56 + 1676);
	return 0;
}
