CREATE TABLE crm.email_domain (
    domain text PRIMARY KEY CHECK (domain <> '' AND domain = lower(domain) AND domain !~ '[[:space:]@]'), -- In lower case, in Unicode as crm.domain() gives it or in its "xn--" form.
    is_disposable boolean, -- Gives throw-away addresses; false is an exception from what a parent domain says, null says nothing.
    is_free_provider boolean, -- Gives addresses to anybody, so that the domain is no sign of a company; false is an exception from what a parent domain says, null says nothing.
    note text, -- Where the row comes from, or why it is as it is.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was added.
);
COMMENT ON TABLE crm.email_domain IS 'What is known of e-mail domains; advice for crm.is_disposable() and crm.is_free_provider(), never a reason to refuse an address. A row speaks for the domain and all below it, unless a longer name has a row that says otherwise.';

CREATE TABLE crm.email_role (
    local_part text PRIMARY KEY CHECK (local_part <> '' AND local_part !~ '[A-Z[:space:]@+]'), -- Without a tag, A-Z in lower case.
    note text, -- Where the row comes from, or why it is as it is.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was added.
);
COMMENT ON TABLE crm.email_role IS 'Local parts that mean a function, not a person; advice for crm.is_role(), never a reason to refuse an address.';

INSERT INTO crm.email_domain (domain, is_disposable)
SELECT name, true FROM pg_catalog.unnest(ARRAY[
    '10minemail.com', '10minutemail.co.uk', '10minutemail.com', '10minutemail.de',
    '10minutemail.net', '20minutemail.com', '20minutemail.it', '30minutemail.com', '33mail.com',
    'anonbox.net', 'anonymbox.com', 'antispam.de', 'binkmail.com', 'bobmail.info',
    'bugmenot.com', 'burnermail.io', 'chacuo.net', 'chammy.info', 'crazymailing.com',
    'cuvox.de', 'dayrep.com', 'deadaddress.com', 'discard.email', 'discardmail.com',
    'discardmail.de', 'disposablemail.com', 'dispostable.com', 'dodgit.com', 'dropmail.me',
    'e4ward.com', 'einrot.com', 'email-fake.com', 'emailfake.com', 'emailondeck.com',
    'emailsensei.com', 'emailtemporanea.com', 'emailtemporario.com.br', 'emlpro.com',
    'fakeinbox.com', 'fakemail.net', 'fakemailgenerator.com', 'fakermail.com', 'filzmail.com',
    'fleckens.hu', 'generator.email', 'getairmail.com', 'getnada.com', 'ghosttexter.de',
    'grr.la', 'guerrillamail.biz', 'guerrillamail.com', 'guerrillamail.de',
    'guerrillamail.info', 'guerrillamail.net', 'guerrillamail.org', 'guerrillamailblock.com',
    'gustr.com', 'harakirimail.com', 'inboxalias.com', 'inboxbear.com', 'inboxkitten.com',
    'incognitomail.com', 'incognitomail.org', 'jetable.com', 'jetable.fr.nf', 'jetable.net',
    'jetable.org', 'jourrapide.com', 'kasmail.com', 'klzlk.com', 'kurzepost.de', 'lroid.com',
    'mail-temp.com', 'mail-temporaire.fr', 'mail.tm', 'mail7.io', 'mailcatch.com',
    'maildrop.cc', 'maildx.com', 'mailexpire.com', 'mailforspam.com', 'mailinator.com',
    'mailinator.net', 'mailinator2.com', 'mailmetrash.com', 'mailmoat.com', 'mailnesia.com',
    'mailnull.com', 'mailpoof.com', 'mailsac.com', 'mailscrap.com', 'mailtemp.info',
    'mailtothis.com', 'meltmail.com', 'mintemail.com', 'moakt.com', 'mohmal.com', 'mt2015.com',
    'mytemp.email', 'mytrashmail.com', 'nada.email', 'nepwk.com', 'no-spam.ws', 'nospam.ze.tc',
    'nowmymail.com', 'objectmail.com', 'one-time.email', 'one2mail.info', 'onewaymail.com',
    'pookmail.com', 'rcpt.at', 'receiveee.com', 'rhyta.com', 'sharklasers.com',
    'shieldemail.com', 'shitmail.me', 'sneakemail.com', 'sogetthis.com', 'spam4.me',
    'spambob.net', 'spambog.com', 'spambox.us', 'spamdecoy.net', 'spamex.com', 'spamfree24.org',
    'spamgourmet.com', 'spamherelots.com', 'spaml.de', 'spammotel.com', 'spamspot.com',
    'superrito.com', 'suremail.info', 'teleworm.us', 'temp-mail.io', 'temp-mail.org',
    'temp-mail.ru', 'tempail.com', 'tempemail.co', 'tempemail.net', 'tempinbox.com',
    'tempmail.dev', 'tempmail.net', 'tempmail.plus', 'tempmailo.com', 'tempomail.fr',
    'temporaryemail.net', 'temporaryinbox.com', 'temporarymail.com', 'tempr.email',
    'thankyou2010.com', 'throwam.com', 'throwawaymail.com', 'tmail.ws', 'tmailor.com',
    'tmpmail.net', 'tmpmail.org', 'trash-mail.com', 'trash-mail.de', 'trashmail.com',
    'trashmail.de', 'trashmail.me', 'trashmail.net', 'trashmail.ws', 'trbvm.com', 'tyldd.com',
    'uggsrock.com', 'wegwerfmail.de', 'wegwerfmail.net', 'wegwerfmail.org', 'wh4f.org',
    'yopmail.com', 'yopmail.fr', 'yopmail.net', 'zoemail.net'
]) AS name;

INSERT INTO crm.email_domain (domain, is_free_provider)
SELECT name, true FROM pg_catalog.unnest(ARRAY[
    '126.com', '139.com', '163.com', '189.cn', 'abv.bg', 'aim.com', 'alice.it', 'aliyun.com',
    'aol.com', 'arcor.de', 'att.net', 'autorambler.ru', 'azet.sk', 'bellsouth.net',
    'bigmir.net', 'bigpond.com', 'bk.ru', 'bluewin.ch', 'bol.com.br', 'btinternet.com',
    'centrum.cz', 'charter.net', 'citromail.hu', 'comcast.net', 'cox.net', 'daum.net',
    'duck.com', 'e1.ru', 'earthlink.net', 'email.com', 'email.cz', 'email.ua', 'fastmail.com',
    'fastmail.fm', 'foxmail.com', 'free.fr', 'freemail.hu', 'freenet.de', 'gazeta.pl',
    'gmail.com', 'gmx.at', 'gmx.ch', 'gmx.com', 'gmx.de', 'gmx.fr', 'gmx.net', 'googlemail.com',
    'hanmail.net', 'hetnet.nl', 'hey.com', 'hispeed.ch', 'hot.ee', 'hotbox.ru', 'hotmail.co.uk',
    'hotmail.com', 'hotmail.de', 'hotmail.es', 'hotmail.fr', 'hotmail.it', 'hotmail.ru',
    'hushmail.com', 'i.ua', 'icloud.com', 'ig.com.br', 'inbox.com', 'inbox.lt', 'inbox.lv',
    'inbox.ru', 'indamail.hu', 'interia.pl', 'internet.ru', 'juno.com', 'keemail.me',
    'kpnmail.nl', 'land.ru', 'laposte.net', 'lenta.ru', 'libero.it', 'list.ru', 'live.co.uk',
    'live.com', 'live.de', 'live.fr', 'live.ru', 'lycos.com', 'mac.com', 'mail.bg', 'mail.by',
    'mail.com', 'mail.ee', 'mail.kz', 'mail.ru', 'mailbox.org', 'me.com', 'meta.ua', 'msn.com',
    'myrambler.ru', 'myyahoo.com', 'narod.ru', 'nate.com', 'naver.com', 'neuf.fr', 'newmail.ru',
    'ngs.ru', 'nm.ru', 'ntlworld.com', 'o2.pl', 'onet.pl', 'online.no', 'online.ua', 'op.pl',
    'optusnet.com.au', 'orange.fr', 'outlook.com', 'outlook.de', 'outlook.es', 'outlook.fr',
    'outlook.it', 'planet.nl', 'pm.me', 'pochta.ru', 'post.cz', 'posteo.de', 'proton.me',
    'protonmail.ch', 'protonmail.com', 'qq.com', 'rambler.ru', 'rambler.ua', 'rediffmail.com',
    'ro.ru', 'rocketmail.com', 'rogers.com', 'runbox.com', 'sapo.pt', 'sbcglobal.net',
    'seznam.cz', 'sfr.fr', 'shaw.ca', 'sina.cn', 'sina.com', 'sky.com', 'skynet.be', 'sohu.com',
    'sympatico.ca', 't-online.de', 'talktalk.net', 'telenet.be', 'telia.com', 'terra.com.br',
    'tin.it', 'tiscali.it', 'tut.by', 'tuta.com', 'tuta.io', 'tutanota.com', 'tutanota.de',
    'ukr.net', 'uol.com.br', 'usa.com', 'verizon.net', 'virgilio.it', 'virginmedia.com',
    'vk.com', 'walla.co.il', 'walla.com', 'wanadoo.fr', 'web.de', 'wp.pl', 'ya.ru', 'yahoo.ca',
    'yahoo.co.in', 'yahoo.co.jp', 'yahoo.co.uk', 'yahoo.com', 'yahoo.com.au', 'yahoo.com.br',
    'yahoo.de', 'yahoo.es', 'yahoo.fr', 'yahoo.it', 'yandex.by', 'yandex.com', 'yandex.kz',
    'yandex.ru', 'yandex.ua', 'yandex.uz', 'yeah.net', 'ymail.com', 'ziggo.nl', 'zoho.com',
    'zohomail.com', 'zohomail.eu', 'zoznam.sk'
]) AS name;

INSERT INTO crm.email_role (local_part)
SELECT name FROM pg_catalog.unnest(ARRAY[
    'abuse', 'accounting', 'accounts', 'accountspayable', 'admin', 'administrator',
    'admissions', 'ads', 'advertising', 'alerts', 'all', 'audit', 'backup', 'billing', 'board',
    'booking', 'bookings', 'bookkeeping', 'buh', 'buhgalter', 'buyer', 'careers', 'ceo', 'cfo',
    'clients', 'club', 'contact', 'contact-us', 'contacts', 'contactus', 'contracts',
    'corporate', 'crm', 'customer-service', 'customercare', 'customers', 'customerservice',
    'data', 'delivery', 'design', 'dev', 'developers', 'director', 'dispatch', 'dns',
    'do-not-reply', 'donotreply', 'economics', 'editor', 'edu', 'education', 'email',
    'employment', 'engineering', 'enquiries', 'enquiry', 'events', 'everyone', 'export',
    'factory', 'feedback', 'fin', 'finance', 'financial', 'franchise', 'ftp', 'fulfillment',
    'gdpr', 'general', 'glavbuh', 'hello', 'help', 'helpdesk', 'hi', 'hiring', 'home',
    'hostmaster', 'hotel', 'hotline', 'hr', 'info', 'information', 'inquiries', 'inquiry',
    'institute', 'intern', 'international', 'internet', 'investor', 'investors', 'invoice',
    'invoices', 'invoicing', 'it', 'jobs', 'kadry', 'kontakt', 'law', 'legal', 'library',
    'list', 'list-request', 'listserv', 'logistics', 'mail', 'mailbox', 'mailer-daemon',
    'mailerdaemon', 'management', 'manager', 'managers', 'market', 'marketing', 'media',
    'member', 'members', 'membership', 'merchandise', 'news', 'newsletter', 'newsletters',
    'no-reply', 'nobody', 'noc', 'noreply', 'notification', 'notifications', 'notify', 'offers',
    'office', 'online', 'operations', 'operator', 'order', 'orders', 'otdel', 'pa', 'partner',
    'partners', 'partnership', 'payment', 'payments', 'payroll', 'personnel', 'post', 'postbox',
    'postmaster', 'pr', 'press', 'principal', 'privacy', 'procurement', 'production', 'project',
    'projects', 'promo', 'proposals', 'publicity', 'purchase', 'purchasing', 'qa', 'quality',
    'quotes', 'recepcion', 'reception', 'recruit', 'recruiting', 'recruitment', 'registrar',
    'registration', 'remove', 'reply', 'request', 'reservations', 'resume', 'returns',
    'reviews', 'root', 'rsvp', 'sales', 'schedule', 'school', 'secretariat', 'secretary',
    'security', 'seo', 'server', 'service', 'services', 'shipping', 'shop', 'sklad', 'snab',
    'spam', 'staff', 'store', 'student', 'students', 'subscribe', 'subscriptions',
    'suggestions', 'supplier', 'suppliers', 'supply', 'support', 'survey', 'sysadmin', 'team',
    'tech', 'technical', 'techsupport', 'tender', 'tenders', 'test', 'tickets', 'trade',
    'trading', 'training', 'travel', 'treasurer', 'unsubscribe', 'usenet', 'users', 'uucp',
    'vacancy', 'vendor', 'vendors', 'verify', 'video', 'visa', 'volunteer', 'warehouse',
    'warranty', 'web', 'webadmin', 'webmaster', 'webshop', 'website', 'welcome', 'wholesale',
    'work', 'www', 'zakaz', 'zakupki'
]) AS name;
