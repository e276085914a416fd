/*
 * libphonenumber itself on the numbers of phone.c, per core: parse, then parse
 * with validity and the international format.
 * libraries: -lphonenumber -lprotobuf
 */
#include <cstdio>
#include <string>
#include <time.h>
#include <vector>

#include <phonenumbers/phonenumberutil.h>

using namespace i18n::phonenumbers;

static double
now()
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
measure(const char *name, const char *region, const char *format, int parts)
{
	const PhoneNumberUtil *library = PhoneNumberUtil::GetInstance();
	std::vector<std::string> texts;
	unsigned	seed = 12345;
	double		best[2] = {1e9, 1e9};
	size_t		sink = 0;

	for (int i = 0; i < 4000; i++)
	{
		char		text[64];

		seed = seed * 1103515245 + 12345;
		unsigned	r = seed >> 4;

		if (parts == 1)
			snprintf(text, sizeof(text), format, 2000000 + r % 7000000);
		else
			snprintf(text, sizeof(text), format, 10 + r % 80, 200 + r / 80 % 800, r / 64000 % 100, r / 6400000 % 100);
		texts.push_back(text);
	}
	for (int run = 0; run < 3; run++)
		for (int deep = 0; deep < 2; deep++)
		{
			double		start = now();

			for (auto &text : texts)
			{
				PhoneNumber number;
				std::string written;

				if (library->Parse(text, region, &number) != PhoneNumberUtil::NO_PARSING_ERROR)
					continue;
				if (deep)
				{
					sink += library->IsValidNumber(number) + library->GetNumberType(number);
					library->Format(number, PhoneNumberUtil::INTERNATIONAL, &written);
					sink += written.size();
				}
			}
			start = now() - start;
			if (start < best[deep])
				best[deep] = start;
		}
	printf("%-26s %6.3f M/s read, %6.3f M/s read + valid + kind + format\n", name,
		   texts.size() / best[0] / 1e6, texts.size() / best[1] / 1e6);
	if (sink == 1)
		printf("\n");
}

int
main()
{
	measure("+7916xxxxxxx", "ZZ", "+7916%u", 1);
	measure("RU 8 (9xx) xxx-xx-xx", "RU", "8 (9%u) %u-%02u-%02u", 4);
	measure("RU +7 9xx xxx-xx-xx", "RU", "+7 9%u %u-%02u-%02u", 4);
	measure("US (650) xxxxxxx", "US", "(650) %u", 1);
	measure("DE 030 xxxxxxx", "DE", "030 %u", 1);
	measure("DE +49 151 xxxxxxxx", "DE", "+49 151 %u1", 1);
	measure("IN 0987xxxxxxx", "IN", "0987%u", 1);
	measure("words", "RU", "no number %u here", 1);
	return 0;
}
