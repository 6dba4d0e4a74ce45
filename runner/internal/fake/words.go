package fake

var (
	statuses = []int{100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 307, 308,
		400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 422, 425, 426, 428, 429, 431, 451,
		500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511}
	zones = []string{"Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Bogota", "America/Chicago",
		"America/Denver", "America/Lima", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Sao_Paulo",
		"Asia/Dubai", "Asia/Kolkata", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin",
		"Europe/Istanbul", "Europe/London", "Europe/Madrid", "Europe/Paris", "Europe/Rome", "Pacific/Auckland", "Pacific/Honolulu"}
	areas = []string{"Accountability", "Accounts", "Applications", "Assurance", "Brand", "Communications", "Creative", "Data", "Directives",
		"Division", "Functionality", "Group", "Identity", "Implementation", "Infrastructure", "Integration", "Interactions", "Intranet",
		"Marketing", "Markets", "Metrics", "Mobility", "Operations", "Optimization", "Program", "Quality", "Research", "Response",
		"Security", "Solutions", "Tactics", "Usability", "Web"}
	descriptors = []string{"Central", "Chief", "Corporate", "Customer", "Direct", "District", "Dynamic", "Forward", "Future", "Global",
		"Human", "International", "Internal", "Investor", "Lead", "Legacy", "National", "Principal", "Product", "Regional", "Senior"}
	commonExtensions = []string{"gif", "htm", "html", "jpeg", "m2a", "m2v", "mp2", "mp3", "mp4", "mp4v", "mpeg", "mpg", "pdf", "png", "shtml", "wav"}
	directories      = []string{"/Applications", "/bin", "/boot", "/etc", "/etc/defaults", "/home", "/home/user", "/lib", "/media", "/mnt", "/opt",
		"/private/tmp", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/share", "/var", "/var/log", "/var/spool"}

	currencies = []struct{ name, code, symbol, numeric string }{
		{"UAE Dirham", "AED", "د.إ", "784"}, {"Australian Dollar", "AUD", "$", "036"}, {"Brazilian Real", "BRL", "R$", "986"},
		{"Canadian Dollar", "CAD", "$", "124"}, {"Swiss Franc", "CHF", "CHF", "756"}, {"Chinese Yuan", "CNY", "¥", "156"},
		{"Czech Koruna", "CZK", "Kč", "203"}, {"Danish Krone", "DKK", "kr", "208"}, {"Euro", "EUR", "€", "978"},
		{"Pound Sterling", "GBP", "£", "826"}, {"Hong Kong Dollar", "HKD", "$", "344"}, {"Forint", "HUF", "Ft", "348"},
		{"New Israeli Sheqel", "ILS", "₪", "376"}, {"Indian Rupee", "INR", "₹", "356"}, {"Yen", "JPY", "¥", "392"}, {"Won", "KRW", "₩", "410"},
		{"Mexican Peso", "MXN", "$", "484"}, {"Norwegian Krone", "NOK", "kr", "578"}, {"New Zealand Dollar", "NZD", "$", "554"},
		{"Zloty", "PLN", "zł", "985"}, {"Swedish Krona", "SEK", "kr", "752"}, {"Singapore Dollar", "SGD", "$", "702"}, {"Baht", "THB", "฿", "764"},
		{"Turkish Lira", "TRY", "₺", "949"}, {"US Dollar", "USD", "$", "840"}, {"Rand", "ZAR", "R", "710"},
	}
	languages = [][3]string{{"Arabic", "ar", "ara"}, {"Bengali", "bn", "ben"}, {"Chinese", "zh", "zho"}, {"Czech", "cs", "ces"}, {"Dutch", "nl", "nld"},
		{"English", "en", "eng"}, {"Finnish", "fi", "fin"}, {"French", "fr", "fra"}, {"German", "de", "deu"}, {"Greek", "el", "ell"}, {"Hindi", "hi", "hin"},
		{"Italian", "it", "ita"}, {"Japanese", "ja", "jpn"}, {"Korean", "ko", "kor"}, {"Polish", "pl", "pol"}, {"Portuguese", "pt", "por"},
		{"Spanish", "es", "spa"}, {"Swahili", "sw", "swa"}, {"Swedish", "sv", "swe"}, {"Turkish", "tr", "tur"}, {"Vietnamese", "vi", "vie"}}
	airlines = [][2]string{{"Aer Lingus", "EI"}, {"Air Canada", "AC"}, {"Air France", "AF"}, {"All Nippon Airways", "NH"}, {"American Airlines", "AA"},
		{"British Airways", "BA"}, {"Cathay Pacific", "CX"}, {"Delta Air Lines", "DL"}, {"Emirates", "EK"}, {"Iberia", "IB"}, {"KLM", "KL"},
		{"Lufthansa", "LH"}, {"Qantas", "QF"}, {"Qatar Airways", "QR"}, {"Singapore Airlines", "SQ"}, {"Turkish Airlines", "TK"}, {"United Airlines", "UA"}}
	airplanes = [][2]string{{"Airbus A220-300", "223"}, {"Airbus A320", "320"}, {"Airbus A330-300", "333"}, {"Airbus A350-900", "359"},
		{"Airbus A380-800", "388"}, {"Boeing 737-800", "738"}, {"Boeing 747-400", "744"}, {"Boeing 767-300", "763"}, {"Boeing 777-300", "773"},
		{"Boeing 787-9", "789"}, {"Embraer 190", "E90"}}
	airports = [][2]string{{"Amsterdam Airport Schiphol", "AMS"}, {"Dubai International Airport", "DXB"}, {"Frankfurt am Main Airport", "FRA"},
		{"Haneda Airport", "HND"}, {"Hong Kong International Airport", "HKG"}, {"John F. Kennedy International Airport", "JFK"}, {"London Heathrow Airport", "LHR"},
		{"Los Angeles International Airport", "LAX"}, {"Singapore Changi Airport", "SIN"}, {"Sydney Kingsford Smith Airport", "SYD"},
		{"Toronto Pearson International Airport", "YYZ"}, {"Zurich Airport", "ZRH"}}
	// elements are in the order of their numbers.
	elements = [][2]string{{"H", "Hydrogen"}, {"He", "Helium"}, {"Li", "Lithium"}, {"Be", "Beryllium"}, {"B", "Boron"}, {"C", "Carbon"}, {"N", "Nitrogen"},
		{"O", "Oxygen"}, {"F", "Fluorine"}, {"Ne", "Neon"}, {"Na", "Sodium"}, {"Mg", "Magnesium"}, {"Al", "Aluminium"}, {"Si", "Silicon"},
		{"P", "Phosphorus"}, {"S", "Sulfur"}, {"Cl", "Chlorine"}, {"Ar", "Argon"}, {"K", "Potassium"}, {"Ca", "Calcium"}, {"Sc", "Scandium"},
		{"Ti", "Titanium"}, {"V", "Vanadium"}, {"Cr", "Chromium"}, {"Mn", "Manganese"}, {"Fe", "Iron"}, {"Co", "Cobalt"}, {"Ni", "Nickel"},
		{"Cu", "Copper"}, {"Zn", "Zinc"}}
	units = [][2]string{{"ampere", "A"}, {"becquerel", "Bq"}, {"candela", "cd"}, {"coulomb", "C"}, {"degree Celsius", "°C"}, {"farad", "F"}, {"hertz", "Hz"},
		{"joule", "J"}, {"kelvin", "K"}, {"kilogram", "kg"}, {"lumen", "lm"}, {"meter", "m"}, {"mole", "mol"}, {"newton", "N"}, {"ohm", "Ω"},
		{"pascal", "Pa"}, {"second", "s"}, {"tesla", "T"}, {"volt", "V"}, {"watt", "W"}}
)
