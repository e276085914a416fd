/*
 * places.h: cities with the beginnings of their postal codes, streets,
 * mailboxes and the words of which the generator makes companies. The largest
 * cities come first.
 */

/* City|first three digits of the code[|other ways to write it,...] */
static const char ru_city[] =
	"Москва|101,105,107,109,111,115,117,119,121,123,125,127,129|г. Москва,МСК,Мск,г Москва;"
	"Санкт-Петербург|190,191,192,193,194,195,196,197,198,199|СПб,Питер,г. Санкт-Петербург,С-Петербург,Спб;"
	"Новосибирск|630|г. Новосибирск,Новосиб;Екатеринбург|620|г. Екатеринбург,Екб,ЕКБ;Казань|420|г. Казань;"
	"Нижний Новгород|603|Н. Новгород,Н.Новгород,г. Нижний Новгород;Челябинск|454|г. Челябинск;Самара|443|г. Самара;"
	"Омск|644|г. Омск;Ростов-на-Дону|344|Ростов,Ростов на Дону;Уфа|450|г. Уфа;Красноярск|660|г. Красноярск;"
	"Воронеж|394|г. Воронеж;Пермь|614|г. Пермь;Волгоград|400|г. Волгоград;Краснодар|350|г. Краснодар;Саратов|410;"
	"Тюмень|625;Тольятти|445;Ижевск|426;Барнаул|656;Ульяновск|432;Иркутск|664;Хабаровск|680;Ярославль|150;"
	"Владивосток|690|Влад-к;Махачкала|367;Томск|634;Оренбург|460;Кемерово|650;Новокузнецк|654;Рязань|390;Астрахань|414;"
	"Набережные Челны|423|Наб. Челны;Пенза|440;Липецк|398;Киров|610;Чебоксары|428;Калининград|236;Тула|300;Курск|305;"
	"Сочи|354;Ставрополь|355;Улан-Удэ|670;Тверь|170;Магнитогорск|455;Иваново|153;Брянск|241;Белгород|308;Сургут|628;"
	"Владимир|600;Нижний Тагил|622|Н. Тагил;Архангельск|163;Чита|672;Калуга|248;Смоленск|214;Волжский|404;Курган|640;"
	"Череповец|162;Орёл|302|Орел;Вологда|160;Владикавказ|362;Саранск|430;Мурманск|183;Якутск|677;Тамбов|392;Грозный|364;"
	"Стерлитамак|453;Кострома|156;Петрозаводск|185;Нижневартовск|628;Новороссийск|353;Йошкар-Ола|424;Комсомольск-на-Амуре|681;"
	"Таганрог|347;Сыктывкар|167;Нальчик|360;Шахты|346;Братск|665;Дзержинск|606;Орск|462;Ангарск|665;Благовещенск|675;"
	"Великий Новгород|173|В. Новгород;Псков|180;Бийск|659;Прокопьевск|653;Южно-Сахалинск|693;Балаково|413;Рыбинск|152;"
	"Армавир|352;Северодвинск|164;Королёв|141|Королев;Петропавловск-Камчатский|683;Норильск|663;Абакан|655;Подольск|142;"
	"Мытищи|141;Люберцы|140;Химки|141;Балашиха|143;Серпухов|142;Коломна|140;Майкоп|385;Элиста|358;Магадан|685";

/* City|state|first three digits|area code[|other ways] */
static const char us_city[] =
	"New York|NY|100|212|NYC,New York City;Los Angeles|CA|900|213|LA,L.A.;Chicago|IL|606|312;Houston|TX|770|713;"
	"Phoenix|AZ|850|602;Philadelphia|PA|191|215|Phila;San Antonio|TX|782|210;San Diego|CA|921|619;Dallas|TX|752|214;"
	"San Jose|CA|951|408;Austin|TX|787|512;Jacksonville|FL|322|904;Fort Worth|TX|761|817|Ft Worth;Columbus|OH|432|614;"
	"Charlotte|NC|282|704;San Francisco|CA|941|415|SF;Indianapolis|IN|462|317|Indy;Seattle|WA|981|206;Denver|CO|802|303;"
	"Washington|DC|200|202|Washington DC;Boston|MA|021|617;Nashville|TN|372|615;El Paso|TX|799|915;Detroit|MI|482|313;"
	"Portland|OR|972|503;Las Vegas|NV|891|702;Memphis|TN|381|901;Louisville|KY|402|502;Baltimore|MD|212|410;"
	"Milwaukee|WI|532|414;Albuquerque|NM|871|505;Tucson|AZ|857|520;Fresno|CA|937|559;Sacramento|CA|958|916;"
	"Kansas City|MO|641|816;Atlanta|GA|303|404;Omaha|NE|681|402;Raleigh|NC|276|919;Miami|FL|331|305;Cleveland|OH|441|216;"
	"Tulsa|OK|741|918;Oakland|CA|946|510;Minneapolis|MN|554|612;Wichita|KS|672|316;Tampa|FL|336|813;New Orleans|LA|701|504;"
	"St. Louis|MO|631|314|Saint Louis,St Louis;Pittsburgh|PA|152|412;Cincinnati|OH|452|513;Buffalo|NY|142|716;"
	"Richmond|VA|232|804;Boise|ID|837|208;Spokane|WA|992|509;Rochester|NY|146|585;Salt Lake City|UT|841|801|SLC";

/* City|postcode area[|other ways] */
static const char uk_city[] =
	"London|SW,SE,NW,N,E,W,EC,WC;Birmingham|B;Manchester|M;Glasgow|G;Leeds|LS;Liverpool|L;Sheffield|S;Edinburgh|EH;"
	"Bristol|BS;Leicester|LE;Cardiff|CF;Coventry|CV;Nottingham|NG;Bradford|BD;Newcastle upon Tyne|NE|Newcastle;Hull|HU;"
	"Plymouth|PL;Stoke-on-Trent|ST|Stoke on Trent;Wolverhampton|WV;Derby|DE;Southampton|SO;Portsmouth|PO;Brighton|BN;"
	"Swansea|SA;Belfast|BT;Aberdeen|AB;Dundee|DD;York|YO;Norwich|NR;Oxford|OX;Cambridge|CB;Exeter|EX;Preston|PR;"
	"Reading|RG;Bath|BA;Chester|CH;Lincoln|LN;Peterborough|PE;Ipswich|IP;Blackpool|FY";

static const char ru_street[] =
	"Ленина Советская Мира Гагарина Молодёжная Садовая Центральная Школьная Лесная Новая Набережная "
	"Кирова Пушкина Октябрьская Комсомольская Первомайская Победы Заречная Зелёная Калинина Горького "
	"Чехова Строителей Северная Южная Полевая Луговая Маяковского Некрасова Лермонтова Фрунзе Чапаева "
	"Дзержинского Карла_Маркса Космонавтов Энергетиков Железнодорожная Рабочая Солнечная Парковая "
	"Спортивная Степная Вокзальная Матросова Свердлова Толстого Суворова Кутузова Жукова Гоголя "
	"Тургенева Островского Чкалова Королёва Мичурина Менделеева Ломоносова Попова Циолковского "
	"Весенняя Берёзовая Сосновая Вишнёвая Цветочная Крылова Белинского Герцена 8_Марта 9_Мая "
	"1_Мая 50_лет_Октября Красноармейская Партизанская Пролетарская Коммунистическая Шоссейная";
static const char us_street[] =
	"Main Oak Maple Cedar Pine Elm Washington Lake Hill Walnut Park Spring River Church Sunset Lincoln "
	"Jackson Franklin Highland Cherry Center Meadow Forest Jefferson Chestnut Willow Madison Ridge Valley "
	"Dogwood Hickory Adams Lakeview College Birch Prospect Poplar Sycamore Locust Magnolia Grove Railroad "
	"Monroe Laurel Holly Harrison Fairview Mill Spruce Woodland Cottonwood 1st 2nd 3rd 4th 5th 6th 7th 8th";
static const char uk_street[] =
	"High Station Church Victoria Park London Green Manor Queens Kings Mill The_Crescent School New Albert "
	"West George Alexandra Windsor Grange Springfield North York Stanley St_Johns Grove Chester Richmond "
	"South Broadway Elm Chapel Mary Bridge Clarence Hawthorn Cromwell Priory Orchard Beech Warwick Union "
	"Wellington Nelson Cambridge Oxford Salisbury Milton Norfolk Ashley Highfield Willow Holly";

static const char ru_mailbox[] = "mail.ru yandex.ru gmail.com bk.ru inbox.ru list.ru rambler.ru ya.ru icloud.com";
static const char us_mailbox[] = "gmail.com yahoo.com hotmail.com outlook.com aol.com icloud.com comcast.net verizon.net";
static const char uk_mailbox[] = "gmail.com hotmail.co.uk yahoo.co.uk outlook.com btinternet.com icloud.com sky.com live.co.uk";

/* Right and mistyped. */
static const char *const mailbox_typo[][2] = {
	{"gmail.com", "gmial.com"}, {"gmail.com", "gmail.con"}, {"gmail.com", "gamil.com"}, {"gmail.com", "gmail.ru"},
	{"mail.ru", "mail.ri"}, {"mail.ru", "maol.ru"}, {"mail.ru", "mail.com"}, {"yandex.ru", "yndex.ru"},
	{"yandex.ru", "yandex.com"}, {"yandex.ru", "yandeks.ru"}, {"yahoo.com", "yaho.com"}, {"yahoo.com", "yahoo.con"},
	{"hotmail.com", "hotmial.com"}, {"hotmail.com", "hotmai.com"}, {"outlook.com", "outlok.com"},
	{"icloud.com", "iclod.com"}, {"rambler.ru", "ramler.ru"}, {"inbox.ru", "inbox.com"},
};

static const char ru_firm[] =
	"Ромашка Альфа Вектор Гранит Сириус Прогресс Север Восток Маяк Заря Орион Кристалл Меридиан Атлант "
	"Импульс Спектр Эталон Гарант Строй Сервис Торг Мебель Авто Агро Тех Энерго Пром Инвест Логистик Медиа";
static const char en_firm[] =
	"Acme Summit Pioneer Atlas Beacon Cascade Delta Everest Falcon Granite Harbor Ironwood Juniper Keystone "
	"Liberty Meridian Northstar Orchard Pinnacle Quantum Redwood Sterling Trident United Vanguard Westfield "
	"Apex Bluewater Crestview Dynamic";
static const char en_trade[] =
	"Consulting Foods Logistics Media Motors Partners Plumbing Roofing Software Supplies Systems Travel";
