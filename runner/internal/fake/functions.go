package fake

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/brianvoe/gofakeit/v7"
)

// functions are all there are, by the names scripts have for them.
var functions map[string]function

// init because functions refer to each other.
func init() {
	functions = map[string]function{
		"$addressCityPrefix":   one("East", "Lake", "New", "North", "Port", "South", "West"),
		"$addressCitySuffix":   one("berg", "borough", "bury", "chester", "field", "ford", "haven", "land", "mouth", "port", "side", "ton", "view", "ville"),
		"$addressStateAbbr":    plain((*Faker).StateAbr),
		"$addressStreetPrefix": plain((*Faker).StreetPrefix),
		"$addressStreetSuffix": one("Avenue", "Court", "Drive", "Lane", "Park", "Place", "Road", "Square", "Street", "Way"),

		"$airlineAircraftType":  one("narrowbody", "regional", "widebody"),
		"$airlineAirline":       airline,
		"$airlineAirplane":      airplane,
		"$airlineAirport":       airport,
		"$airlineFlightNumber":  func(f *Faker, _ []string) string { return strconv.Itoa(between(f, 1, 9999)) },
		"$airlineRecordLocator": text(upper, 6),
		"$airlineSeat":          func(f *Faker, _ []string) string { return strconv.Itoa(between(f, 1, 35)) + some(f, "ABCDEF", 1) },

		"$animalBear":       one("American black bear", "Asian black bear", "Brown bear", "Giant panda", "Polar bear", "Sloth bear", "Spectacled bear", "Sun bear"),
		"$animalBird":       plain((*Faker).Bird),
		"$animalCat":        plain((*Faker).Cat),
		"$animalCetacean":   one("Beluga", "Blue Whale", "Bottlenose Dolphin", "Fin Whale", "Harbor Porpoise", "Humpback Whale", "Narwhal", "Orca", "Sperm Whale"),
		"$animalCow":        one("Angus", "Ayrshire", "Charolais", "Galloway", "Hereford", "Highland", "Holstein", "Jersey", "Limousin", "Simmental"),
		"$animalCrocodilia": one("Alligator mississippiensis", "Caiman crocodilus", "Chinese Alligator", "Cuban Crocodile", "Freshwater Crocodile", "Gharial", "Nile crocodile"),
		"$animalDog":        plain((*Faker).Dog),
		"$animalFish":       one("Anchovy", "Carp", "Cod", "Grouper", "Haddock", "Herring", "Mackerel", "Pollock", "Salmon", "Sardine", "Tilapia", "Trout", "Tuna"),
		"$animalHorse":      one("Andalusian", "Appaloosa", "Arabian", "Clydesdale", "Friesian", "Hanoverian", "Lipizzan", "Mustang", "Shire", "Thoroughbred"),
		"$animalInsect":     one("Bumble bee", "Cicada", "Dragonfly", "Earwig", "Firefly", "Grasshopper", "Honey bee", "Ladybird", "Mayfly", "Monarch butterfly"),
		"$animalLion":       one("Asiatic Lion", "Barbary Lion", "Cape lion", "Masai Lion", "Northeast Congo Lion", "Transvaal lion", "West African Lion"),
		"$animalPetName":    plain((*Faker).PetName),
		"$animalRabbit":     one("American Chinchilla", "Belgian Hare", "Dutch", "Flemish Giant", "Harlequin", "Holland Lop", "Lionhead", "Mini Rex", "Satin"),
		"$animalRodent":     one("Beaver", "Capybara", "Chinchilla", "Chipmunk", "Dormouse", "Hamster", "Harvest mouse", "Lemming", "Marmot", "Muskrat", "Squirrel"),
		"$animalSnake":      one("Adder", "Anaconda", "Boa constrictor", "Copperhead", "Corn snake", "Garter snake", "Grass snake", "King cobra", "Python", "Viper"),
		"$animalType":       plain((*Faker).Animal),

		"$bookAuthor":    plain((*Faker).BookAuthor),
		"$bookFormat":    one("Audiobook", "Ebook", "Hardcover", "Paperback"),
		"$bookGenre":     plain((*Faker).BookGenre),
		"$bookPublisher": one("Cambridge University Press", "Faber and Faber", "Hachette", "HarperCollins", "Macmillan", "Oxford University Press", "Penguin", "Scholastic", "Vintage"),
		"$bookSeries":    one("A Dance to the Music of Time", "Discworld", "Earthsea", "Foundation", "His Dark Materials", "The Chronicles of Narnia", "The Forsyte Saga", "The Human Comedy"),
		"$bookTitle":     plain((*Faker).BookTitle),

		"$colorCmyk":                 shares(4),
		"$colorColorByCSSColorSpace": shares(3),
		"$colorCssSupportedFunction": one("cmyk", "color", "hsl", "hsla", "hwb", "lab", "lch", "rgb", "rgba"),
		"$colorCssSupportedSpace":    one("a98-rgb", "display-p3", "prophoto-rgb", "rec2020", "sRGB"),
		"$colorHsl":                  hue,
		"$colorHuman":                func(f *Faker, _ []string) string { return strings.ToLower(f.SafeColor()) },
		"$colorHwb":                  hue,
		"$colorLab": func(f *Faker, _ []string) string {
			return list(decimal(f, 0, 1, 6), decimal(f, -100, 100, 4), decimal(f, -100, 100, 4))
		},
		"$colorLch": func(f *Faker, _ []string) string {
			return list(decimal(f, 0, 1, 6), decimal(f, 0, 230, 1), decimal(f, 0, 230, 1))
		},
		"$colorRgb":   plain((*Faker).HexColor),
		"$colorSpace": one("ACEScg", "Adobe RGB (1998)", "CIE 1931 XYZ", "CIELAB", "CMYK", "HSL", "HSV", "ProPhoto RGB Color Space", "Rec. 2020", "YCbCr", "sRGB"),

		"$commerceDepartment": one("Automotive", "Baby", "Beauty", "Books", "Clothing", "Computers", "Electronics", "Games", "Garden", "Grocery", "Health", "Home",
			"Industrial", "Jewelry", "Kids", "Movies", "Music", "Outdoors", "Shoes", "Sports", "Tools", "Toys"),
		"$commerceIsbn":               func(f *Faker, _ []string) string { return isbn(f) },
		"$commercePrice":              amount(1, 1000),
		"$commerceProduct":            one("Bacon", "Ball", "Bike", "Car", "Chair", "Cheese", "Chicken", "Computer", "Fish", "Gloves", "Hat", "Keyboard", "Mouse", "Pants", "Pizza", "Salad", "Shirt", "Shoes", "Soap", "Table", "Towels", "Tuna"),
		"$commerceProductAdjective":   one("Awesome", "Elegant", "Ergonomic", "Fantastic", "Generic", "Gorgeous", "Handcrafted", "Incredible", "Intelligent", "Licensed", "Modern", "Practical", "Recycled", "Refined", "Rustic", "Sleek", "Small", "Tasty"),
		"$commerceProductDescription": plain((*Faker).ProductDescription),
		"$commerceProductMaterial":    one("Bamboo", "Bronze", "Concrete", "Cotton", "Fresh", "Frozen", "Granite", "Metal", "Plastic", "Rubber", "Soft", "Steel", "Wooden"),
		"$commerceProductName":        join(" ", "$commerceProductAdjective", "$commerceProductMaterial", "$commerceProduct"),
		"$commerceUpc":                plain((*Faker).ProductUPC),

		"$companyBuzzAdjective":         one("back-end", "cross-platform", "cutting-edge", "distributed", "frictionless", "global", "granular", "robust", "scalable", "seamless", "turn-key", "user-centric", "virtual", "world-class"),
		"$companyBuzzNoun":              one("architectures", "bandwidth", "channels", "communities", "content", "deliverables", "experiences", "interfaces", "markets", "networks", "paradigms", "platforms", "solutions", "synergies", "users"),
		"$companyBuzzPhrase":            join(" ", "$companyBuzzVerb", "$companyBuzzAdjective", "$companyBuzzNoun"),
		"$companyBuzzVerb":              one("aggregate", "architect", "deliver", "deploy", "drive", "embrace", "enable", "engineer", "expedite", "grow", "harness", "integrate", "leverage", "scale", "streamline", "synthesize", "visualize"),
		"$companyCatchPhrase":           join(" ", "$companyCatchPhraseAdjective", "$companyCatchPhraseDescriptor", "$companyCatchPhraseNoun"),
		"$companyCatchPhraseAdjective":  one("Adaptive", "Advanced", "Automated", "Balanced", "Cloned", "Configurable", "Customizable", "Decentralized", "Digitized", "Enhanced", "Expanded", "Focused", "Innovative", "Managed", "Open-source", "Optimized", "Reactive", "Secured", "Synergistic", "Universal"),
		"$companyCatchPhraseDescriptor": one("24/7", "asynchronous", "bi-directional", "client-server", "contextually-based", "dedicated", "didactic", "dynamic", "empowering", "even-keeled", "fault-tolerant", "heuristic", "high-level", "holistic", "modular", "real-time", "systemic", "zero-defect"),
		"$companyCatchPhraseNoun":       one("ability", "alliance", "approach", "archive", "array", "benchmark", "capability", "collaboration", "conglomeration", "core", "database", "encoding", "framework", "hierarchy", "hub", "interface", "middleware", "orchestration", "protocol", "throughput", "toolset"),
		"$companyCompanySuffix":         one("Group", "Inc", "LLC", "and Sons"),
		"$companyName":                  companyName,
		"$databaseCollation":            one("ascii_bin", "ascii_general_ci", "cp1250_bin", "cp1250_general_ci", "utf8_bin", "utf8_general_ci", "utf8_unicode_ci"),
		"$databaseColumn":               one("avatar", "category", "comment", "createdAt", "email", "group", "id", "name", "password", "phone", "status", "title", "token", "updatedAt"),
		"$databaseEngine":               one("ARCHIVE", "BLACKHOLE", "CSV", "InnoDB", "MEMORY", "MyISAM"),
		"$databaseMongodbObjectId":      func(f *Faker, _ []string) string { return some(f, hex, 24) },
		"$databaseType":                 one("bigint", "binary", "bit", "blob", "boolean", "date", "datetime", "decimal", "double", "enum", "float", "geometry", "int", "mediumint", "point", "real", "serial", "set", "smallint", "text", "time", "timestamp", "tinyint", "varchar"),
		"$datatypeBoolean":              func(f *Faker, _ []string) string { return strconv.FormatBool(f.Bool()) },
		"$datatypeJson":                 someJSON,
		"$dateAnytime":                  moment(-365*day, 366*day),
		"$dateBirthdate":                moment(-80*365*day, -19*365*day),
		"$dateFuture":                   moment(day, 366*day),
		"$dateMonth":                    plain((*Faker).MonthString),
		"$datePast":                     moment(-365*day, 0),
		"$dateRecent":                   moment(-day, 0),
		"$dateSoon":                     moment(day, 2*day),
		"$dateTimeZone":                 one(zones...),
		"$dateWeekday":                  plain((*Faker).WeekDay),
		"$financeAccountName":           one("Auto Loan Account", "Checking Account", "Credit Card Account", "Home Loan Account", "Investment Account", "Money Market Account", "Personal Loan Account", "Savings Account"),
		"$financeAccountNumber":         text(digits, 8),
		"$financeAmount":                amount(0, 1000),
		"$financeBic":                   bic,
		"$financeBitcoinAddress": func(f *Faker, _ []string) string {
			return pick(f, []string{"1", "3"}) + some(f, base58, between(f, 25, 33))
		},
		"$financeCreditCardCVV":          text(digits, 3),
		"$financeCreditCardIssuer":       one("american_express", "diners_club", "discover", "jcb", "maestro", "mastercard", "visa"),
		"$financeCreditCardNumber":       func(f *Faker, _ []string) string { return f.CreditCardNumber(nil) },
		"$financeCurrency":               currency,
		"$financeCurrencyCode":           func(f *Faker, _ []string) string { return currencies[f.IntN(len(currencies))].code },
		"$financeCurrencyName":           func(f *Faker, _ []string) string { return currencies[f.IntN(len(currencies))].name },
		"$financeCurrencyNumericCode":    func(f *Faker, _ []string) string { return currencies[f.IntN(len(currencies))].numeric },
		"$financeCurrencySymbol":         func(f *Faker, _ []string) string { return currencies[f.IntN(len(currencies))].symbol },
		"$financeEthereumAddress":        func(f *Faker, _ []string) string { return "0x" + some(f, hex, 40) },
		"$financeIban":                   iban,
		"$financeLitecoinAddress":        func(f *Faker, _ []string) string { return some(f, "LM3", 1) + some(f, base58, between(f, 25, 32)) },
		"$financeMaskedNumber":           func(f *Faker, args []string) string { return "(..." + some(f, digits, length(args, 0, 4)) + ")" },
		"$financePin":                    text(digits, 4),
		"$financeRoutingNumber":          routing,
		"$financeTransactionDescription": transaction,
		"$financeTransactionType":        one("deposit", "invoice", "payment", "withdrawal"),

		"$foodAdjective":      one("bitter", "creamy", "crispy", "crunchy", "delicious", "fluffy", "fresh", "juicy", "moist", "salty", "savory", "smoky", "sour", "spicy", "sweet", "tangy", "tender", "zesty"),
		"$foodDescription":    foodDescription,
		"$foodDish":           plain((*Faker).Dinner),
		"$foodEthnicCategory": one("Brazilian", "Chinese", "Ethiopian", "French", "Greek", "Indian", "Italian", "Japanese", "Korean", "Lebanese", "Mexican", "Moroccan", "Spanish", "Thai", "Turkish", "Vietnamese"),
		"$foodFruit":          func(f *Faker, _ []string) string { return strings.ToLower(f.Fruit()) },
		"$foodIngredient":     one("almonds", "basil", "butter", "chickpeas", "coconut milk", "eggs", "garlic", "ginger", "honey", "lentils", "mushrooms", "olive oil", "onion", "quinoa", "rice", "tofu", "tomatoes", "yogurt"),
		"$foodMeat":           one("beef", "chicken", "duck", "goose", "kangaroo", "lamb", "ostrich", "pork", "quail", "rabbit", "salmon", "turkey", "venison"),
		"$foodSpice":          one("allspice", "anise seed", "basil", "cardamom", "chili powder", "cinnamon", "cloves", "cumin", "ginger", "nutmeg", "oregano", "paprika", "saffron", "turmeric"),
		"$foodVegetable":      func(f *Faker, _ []string) string { return strings.ToLower(f.Vegetable()) },

		"$gitBranch": func(f *Faker, _ []string) string {
			return strings.ReplaceAll(f.HackerNoun()+"-"+f.HackerVerb(), " ", "-")
		},
		"$gitCommitDate":      gitDate,
		"$gitCommitEntry":     gitEntry,
		"$gitCommitMessage":   func(f *Faker, _ []string) string { return gitMessage(f) },
		"$gitCommitSha":       text(hex, 40),
		"$gitShortSha":        text(hex, 7),
		"$hackerAbbreviation": plain((*Faker).HackerAbbreviation),
		"$hackerAdjective":    plain((*Faker).HackerAdjective),
		"$hackerIngverb":      plain((*Faker).HackeringVerb),
		"$hackerNoun":         plain((*Faker).HackerNoun),
		"$hackerPhrase":       plain((*Faker).HackerPhrase),
		"$hackerVerb":         plain((*Faker).HackerVerb),

		"$imageAvatar":         avatar,
		"$imageAvatarGitHub":   avatar,
		"$imageDataUri":        dataURI,
		"$imagePersonPortrait": portrait,
		"$imageUrl":            picsum,
		"$imageUrlLoremFlickr": func(f *Faker, args []string) string {
			return fmt.Sprintf("https://loremflickr.com/%d/%d?lock=%d", length(args, 0, 640), length(args, 1, 480), f.Uint32())
		},
		"$imageUrlPicsumPhotos": picsum,
		"$imageUrlPlaceholder": func(f *Faker, args []string) string {
			return fmt.Sprintf("https://via.placeholder.com/%dx%d/%s/%s.png", length(args, 0, 640), length(args, 1, 480), some(f, hex, 6), some(f, hex, 6))
		},

		"$internetDisplayName":  func(f *Faker, _ []string) string { return userName(f) },
		"$internetDomainName":   func(f *Faker, _ []string) string { return domain(f) },
		"$internetDomainSuffix": plain((*Faker).DomainSuffix),
		"$internetDomainWord":   func(f *Faker, _ []string) string { return domainWord(f) },
		"$internetEmail":        plain((*Faker).Email),
		"$internetEmoji":        plain((*Faker).Emoji),
		"$internetExampleEmail": func(f *Faker, _ []string) string {
			return userName(f) + "@example." + pick(f, []string{"com", "net", "org"})
		},
		"$internetHttpMethod":     one("DELETE", "GET", "PATCH", "POST", "PUT"),
		"$internetHttpStatusCode": func(f *Faker, _ []string) string { return strconv.Itoa(statuses[f.IntN(len(statuses))]) },
		"$internetIp": func(f *Faker, _ []string) string {
			if f.Bool() {
				return f.IPv6Address()
			}
			return f.IPv4Address()
		},
		"$internetIpv4":         plain((*Faker).IPv4Address),
		"$internetIpv6":         plain((*Faker).IPv6Address),
		"$internetJwt":          jwt,
		"$internetJwtAlgorithm": one("ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "none"),
		"$internetMac":          func(f *Faker, _ []string) string { return strings.ToLower(f.MacAddress()) },
		"$internetPassword":     text(letters+digits+"_", 15),
		"$internetPort":         func(f *Faker, _ []string) string { return strconv.Itoa(between(f, 0, 65535)) },
		"$internetProtocol":     one("http", "https"),
		"$internetUrl":          func(f *Faker, _ []string) string { return "https://" + domain(f) + "/" },
		"$internetUserAgent":    plain((*Faker).UserAgent),
		"$internetUsername":     func(f *Faker, _ []string) string { return userName(f) },

		"$locationBuildingNumber":    func(f *Faker, _ []string) string { return strconv.Itoa(between(f, 100, 99999)) },
		"$locationCardinalDirection": one("East", "North", "South", "West"),
		"$locationCity":              plain((*Faker).City),
		"$locationContinent":         one("Africa", "Antarctica", "Asia", "Australia", "Europe", "North America", "South America"),
		"$locationCountry":           plain((*Faker).Country),
		"$locationCountryCode":       plain((*Faker).CountryAbr),
		"$locationCounty": one("Adams County", "Berkshire", "Cambridgeshire", "Clark County", "Cumbria", "Devon", "Essex", "Franklin County", "Jackson County", "Jefferson County",
			"Kent", "Lincoln County", "Madison County", "Norfolk", "Orange County", "Suffolk", "Washington County"),
		"$locationDirection": one("East", "North", "Northeast", "Northwest", "South", "Southeast", "Southwest", "West"),
		"$locationLanguage":  language,
		"$locationLatitude":  coordinate(-90, 90),
		"$locationLongitude": coordinate(-180, 180),
		"$locationNearbyGPSCoordinate": func(f *Faker, _ []string) string {
			return list(decimal(f, -90, 90, 4), decimal(f, -180, 180, 4))
		},
		"$locationOrdinalDirection": one("Northeast", "Northwest", "Southeast", "Southwest"),
		"$locationSecondaryAddress": filled("Apt. ###", "Suite ###"),
		"$locationState":            plain((*Faker).State),
		"$locationStreet":           func(f *Faker, args []string) string { return street(f) },
		"$locationStreetAddress":    func(f *Faker, args []string) string { return strconv.Itoa(between(f, 100, 99999)) + " " + street(f) },
		"$locationTimeZone":         one(zones...),
		"$locationZipCode":          filled("#####", "#####-####"),

		"$loremLines": func(f *Faker, args []string) string {
			return many(f, length(args, 0, between(f, 1, 5)), "\n", sentence)
		},
		"$loremParagraph":  func(f *Faker, args []string) string { return many(f, length(args, 0, 3), " ", sentence) },
		"$loremParagraphs": func(f *Faker, args []string) string { return many(f, length(args, 0, 3), "\n", paragraph) },
		"$loremSentence":   func(f *Faker, args []string) string { return sentenceOf(f, length(args, 0, between(f, 3, 10))) },
		"$loremSentences":  func(f *Faker, args []string) string { return many(f, length(args, 0, between(f, 2, 6)), " ", sentence) },
		"$loremSlug":       func(f *Faker, args []string) string { return many(f, length(args, 0, 3), "-", (*Faker).LoremIpsumWord) },
		"$loremText":       plain(paragraph),
		"$loremWord":       plain((*Faker).LoremIpsumWord),
		"$loremWords":      func(f *Faker, args []string) string { return many(f, length(args, 0, 3), " ", (*Faker).LoremIpsumWord) },

		"$musicAlbum":    one("Abbey Road", "Blue", "Born to Run", "Dark Side of the Moon", "Kind of Blue", "London Calling", "OK Computer", "Pet Sounds", "Purple Rain", "Rumours", "Songs in the Key of Life", "Thriller"),
		"$musicArtist":   plain((*Faker).SongArtist),
		"$musicGenre":    plain((*Faker).SongGenre),
		"$musicSongName": plain((*Faker).SongName),

		"$numberBigInt": func(f *Faker, args []string) string {
			if len(args) > 0 {
				return integer(f, args)
			}
			return strconv.FormatUint(f.Uint64()%1_000_000_000_000_000, 10)
		},
		"$numberBinary": inBase(2, 1),
		"$numberFloat": func(f *Faker, args []string) string {
			least, most := within(args, 0, 1)
			return strconv.FormatFloat(float64(least)+f.Float64()*(float64(most)-float64(least)), 'f', -1, 64)
		},
		"$numberHex":          inBase(16, 15),
		"$numberInt":          integer,
		"$numberOctal":        inBase(8, 7),
		"$numberRomanNumeral": roman,

		"$personBio":           plain((*Faker).Bio),
		"$personFirstName":     plain((*Faker).FirstName),
		"$personFullName":      plain((*Faker).Name),
		"$personGender":        one("Agender", "Androgyne", "Bigender", "Cis man", "Cis woman", "Demiboy", "Demigirl", "Gender fluid", "Genderqueer", "Man", "Non-binary", "Pangender", "Trans man", "Trans woman", "Two-spirit", "Woman"),
		"$personJobArea":       one(areas...),
		"$personJobDescriptor": one(descriptors...),
		"$personJobTitle":      join(" ", "$personJobDescriptor", "$personJobArea", "$personJobType"),
		"$personJobType":       one("Administrator", "Agent", "Analyst", "Architect", "Assistant", "Associate", "Consultant", "Coordinator", "Designer", "Developer", "Director", "Engineer", "Executive", "Manager", "Officer", "Planner", "Producer", "Representative", "Specialist", "Strategist", "Supervisor", "Technician"),
		"$personLastName":      plain((*Faker).LastName),
		"$personMiddleName":    plain((*Faker).MiddleName),
		"$personPrefix":        one("Dr.", "Miss", "Mr.", "Mrs.", "Ms."),
		"$personSex":           one("female", "male"),
		"$personSexType":       one("female", "male"),
		"$personSuffix":        one("DDS", "DVM", "I", "II", "III", "IV", "Jr.", "MD", "PhD", "Sr.", "V"),
		"$personZodiacSign":    one("Aquarius", "Aries", "Cancer", "Capricorn", "Gemini", "Leo", "Libra", "Pisces", "Sagittarius", "Scorpio", "Taurus", "Virgo"),

		"$phoneImei":         imei,
		"$phoneNumber":       func(f *Faker, _ []string) string { return phone(f) },
		"$phonePhoneFormats": one("!##-!##-####", "(!##) !##-####", "1-!##-!##-####", "!##.!##.####"),

		"$randomLocale":           one("af_ZA", "ar", "cs_CZ", "de", "de_AT", "el", "en", "en_GB", "en_US", "es", "es_MX", "fi", "fr", "fr_CA", "he", "hu", "it", "ja", "ko", "nl", "pl", "pt_BR", "ro", "ru", "sv", "tr", "uk", "vi", "zh_CN"),
		"$scienceChemicalElement": element,
		"$scienceUnit":            unit,

		"$stringAlpha":        text(letters, 1),
		"$stringAlphanumeric": text(letters+digits, 1),
		"$stringBinary":       prefixed("0b", text("01", 1)),
		"$stringHexadecimal":  prefixed("0x", text(hex+"ABCDEF", 1)),
		"$stringNanoid":       text(letters+digits+"_-", 21),
		"$stringNumeric":      text(digits, 1),
		"$stringOctal":        prefixed("0o", text(digits[:8], 1)),
		"$stringSample":       text(printable(), 10),
		"$stringSymbol":       text("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", 1),
		"$stringUlid": func(f *Faker, _ []string) string {
			return some(f, digits[:8], 1) + some(f, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 25)
		},
		"$stringUuid": plain((*Faker).UUID),

		"$systemCommonFileExt":  one(commonExtensions...),
		"$systemCommonFileName": func(f *Faker, _ []string) string { return fileStem(f) + "." + pick(f, commonExtensions) },
		"$systemCommonFileType": one("application", "audio", "image", "text", "video"),
		"$systemCron":           cron,
		"$systemDirectoryPath":  one(directories...),
		"$systemFileExt":        plain((*Faker).FileExtension),
		"$systemFileName":       func(f *Faker, _ []string) string { return fileStem(f) + "." + f.FileExtension() },
		"$systemFilePath": func(f *Faker, _ []string) string {
			return pick(f, directories) + "/" + fileStem(f) + "." + f.FileExtension()
		},
		"$systemFileType":         one("application", "audio", "font", "image", "message", "model", "multipart", "text", "video"),
		"$systemMimeType":         one("application/gzip", "application/json", "application/pdf", "application/xml", "application/zip", "audio/mpeg", "audio/ogg", "font/woff2", "image/gif", "image/jpeg", "image/png", "image/svg+xml", "text/css", "text/csv", "text/html", "text/plain", "video/mp4", "video/webm"),
		"$systemNetworkInterface": filled("eno#", "ens#", "enp#s#", "wlo#", "wls#", "wlp#s#", "wwo#"),
		"$systemSemver": func(f *Faker, _ []string) string {
			return fmt.Sprintf("%d.%d.%d", f.IntN(10), f.IntN(21), f.IntN(21))
		},
		"$timeRecent": func(f *Faker, _ []string) string {
			return strconv.FormatInt(time.Now().UTC().Truncate(day).UnixMilli()-int64(f.IntN(int(day/time.Millisecond))), 10)
		},

		"$vehicleBicycle":      one("Adventure Road Bicycle", "BMX Bicycle", "City Bicycle", "Cruiser Bicycle", "Cyclocross Bicycle", "Folding Bicycle", "Hybrid Bicycle", "Mountain Bicycle", "Recumbent Bicycle", "Tandem Bicycle", "Touring Bicycle", "Track/Fixed-Gear Bicycle"),
		"$vehicleColor":        func(f *Faker, _ []string) string { return strings.ToLower(f.SafeColor()) },
		"$vehicleFuel":         one("Diesel", "Electric", "Gasoline", "Hybrid"),
		"$vehicleManufacturer": plain((*Faker).CarMaker),
		"$vehicleModel":        plain((*Faker).CarModel),
		"$vehicleType":         one("Cargo Van", "Convertible", "Coupe", "Crew Cab Pickup", "Extended Cab Pickup", "Hatchback", "Minivan", "Passenger Van", "SUV", "Sedan", "Wagon"),
		"$vehicleVehicle":      func(f *Faker, _ []string) string { return f.CarMaker() + " " + f.CarModel() },
		"$vehicleVin": func(f *Faker, _ []string) string {
			const characters = digits + "ABCDEFGHJKLMNPRSTUVWXYZ" // without I, O and Q
			return some(f, characters, 10) + some(f, characters[10:], 1) + some(f, characters, 1) + some(f, digits, 5)
		},
		"$vehicleVrm":       filled("??##???"),
		"$wordAdjective":    plain((*Faker).AdjectiveDescriptive),
		"$wordAdverb":       plain((*Faker).AdverbManner),
		"$wordConjunction":  one("after", "although", "and", "because", "before", "but", "if", "or", "since", "so", "though", "unless", "until", "when", "whereas", "while", "yet"),
		"$wordInterjection": plain((*Faker).Interjection),
		"$wordNoun":         plain((*Faker).NounCommon),
		"$wordPreposition":  plain((*Faker).PrepositionSimple),
		"$wordSample":       plain(word),
		"$wordVerb":         plain((*Faker).VerbAction),
		"$wordWords":        func(f *Faker, args []string) string { return many(f, length(args, 0, between(f, 1, 3)), " ", word) },
	}
}

// join is a function that puts what others yield one after another.
func join(between string, names ...string) function {
	return func(f *Faker, _ []string) string {
		parts := make([]string, len(names))
		for i, name := range names {
			parts[i] = functions[name](f, nil)
		}
		return strings.Join(parts, between)
	}
}

func prefixed(prefix string, of function) function {
	return func(f *Faker, args []string) string { return prefix + of(f, args) }
}

// shares is a function that yields a list of n numbers from 0 to 1.
func shares(n int) function {
	return func(f *Faker, _ []string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = decimal(f, 0, 1, 2)
		}
		return list(parts...)
	}
}

func hue(f *Faker, _ []string) string {
	return list(strconv.Itoa(f.IntN(361)), decimal(f, 0, 1, 2), decimal(f, 0, 1, 2))
}

// amount is a function that yields a sum of money. Its arguments are the two ends of the range, and how
// many digits the fraction has.
func amount(least, most int) function {
	return func(f *Faker, args []string) string {
		from, to := whole(args, 0, least), whole(args, 1, most)
		return decimal(f, float64(min(from, to)), float64(max(from, to)), min(length(args, 2, 2), 10))
	}
}

func coordinate(least, most float64) function {
	return func(f *Faker, _ []string) string { return decimal(f, least, most, 4) }
}

// inBase is a function that yields a whole number to a base.
func inBase(base, most int) function {
	return func(f *Faker, args []string) string {
		from, to := within(args, 0, most)
		return strconv.FormatInt(int64(between(f, from, to)), base)
	}
}

// integer yields a whole number, up to the greatest that JavaScript holds exactly.
func integer(f *Faker, args []string) string {
	least, most := within(args, 0, 1<<53-1)
	return strconv.Itoa(between(f, least, most))
}

func roman(f *Faker, args []string) string {
	least, most := within(args, 1, 3999)
	n := between(f, min(max(least, 1), 3999), max(min(most, 3999), 1))
	var b strings.Builder
	for _, r := range []struct {
		n    int
		text string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= r.n; n -= r.n {
			b.WriteString(r.text)
		}
	}
	return b.String()
}

func word(f *Faker) string {
	switch f.IntN(4) {
	case 0:
		return f.AdjectiveDescriptive()
	case 1:
		return f.AdverbManner()
	case 2:
		return f.NounCommon()
	}
	return f.VerbAction()
}

func sentence(f *Faker) string { return sentenceOf(f, between(f, 3, 10)) }

func sentenceOf(f *Faker, words int) string {
	return title(many(f, words, " ", (*Faker).LoremIpsumWord)) + "."
}

func paragraph(f *Faker) string { return many(f, 3, " ", sentence) }

func street(f *Faker) string { return f.LastName() + " " + functions["$addressStreetSuffix"](f, nil) }

func phone(f *Faker) string {
	return fmt.Sprintf("%d-%d-%s", between(f, 200, 999), between(f, 200, 999), some(f, digits, 4))
}

func companyName(f *Faker, _ []string) string {
	switch f.IntN(3) {
	case 0:
		return f.LastName() + " " + functions["$companyCompanySuffix"](f, nil)
	case 1:
		return f.LastName() + " - " + f.LastName()
	}
	return f.LastName() + ", " + f.LastName() + " and " + f.LastName()
}

// ascii keeps the letters and digits of s.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && strings.ContainsRune(letters+digits, r) {
			return r
		}
		return -1
	}, s)
}

func userName(f *Faker) string {
	return ascii(f.FirstName()) + pick(f, []string{".", "_", ""}) + ascii(f.LastName()) + strconv.Itoa(f.IntN(100))
}

func domainWord(f *Faker) string {
	return strings.ToLower(ascii(f.AdjectiveDescriptive()) + "-" + ascii(f.NounCommon()))
}

func domain(f *Faker) string { return domainWord(f) + "." + f.DomainSuffix() }

func fileStem(f *Faker) string { return strings.ToLower(ascii(word(f)) + "_" + ascii(word(f))) }

func isbn(f *Faker) string {
	return f.ProductISBN(&gofakeit.ISBNOptions{Version: "13", Separator: "-"})
}

func bic(f *Faker, _ []string) string {
	return some(f, upper, 4) + f.CountryAbr() + some(f, upper+digits, 2) + pick(f, []string{"", some(f, upper+digits, 3)})
}

// iban yields a number whose check digits are right (ISO 13616).
func iban(f *Faker, _ []string) string {
	account := some(f, digits, 18)
	rest := 0
	for _, c := range account + "131400" { // D is 13, E is 14
		rest = (10*rest + int(c-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, account)
}

// routing yields a number whose check digit is right (ABA).
func routing(f *Faker, _ []string) string {
	number := some(f, digits, 8)
	sum := 0
	for i, c := range number {
		sum += []int{3, 7, 1}[i%3] * int(c-'0')
	}
	return number + strconv.Itoa((10-sum%10)%10)
}

func imei(f *Faker, _ []string) string {
	n := luhn(some(f, digits, 14))
	return n[:2] + "-" + n[2:8] + "-" + n[8:14] + "-" + n[14:]
}

func transaction(f *Faker, _ []string) string {
	return fmt.Sprintf("%s transaction at %s using card ending with ***%s for %s %s in account ***%s",
		functions["$financeTransactionType"](f, nil), companyName(f, nil), some(f, digits, 4),
		functions["$financeCurrencyCode"](f, nil), decimal(f, 0, 1000, 2), some(f, digits, 4))
}

func currency(f *Faker, _ []string) string {
	c := currencies[f.IntN(len(currencies))]
	return object("name", c.name, "code", c.code, "symbol", c.symbol, "numericCode", c.numeric)
}

func language(f *Faker, _ []string) string {
	l := languages[f.IntN(len(languages))]
	return object("name", l[0], "alpha2", l[1], "alpha3", l[2])
}

func airline(f *Faker, _ []string) string {
	a := airlines[f.IntN(len(airlines))]
	return object("name", a[0], "iataCode", a[1])
}

func airplane(f *Faker, _ []string) string {
	a := airplanes[f.IntN(len(airplanes))]
	return object("name", a[0], "iataTypeCode", a[1])
}

func airport(f *Faker, _ []string) string {
	a := airports[f.IntN(len(airports))]
	return object("name", a[0], "iataCode", a[1])
}

func element(f *Faker, _ []string) string {
	n := f.IntN(len(elements))
	return object("symbol", elements[n][0], "name", elements[n][1], "atomicNumber", n+1)
}

func unit(f *Faker, _ []string) string {
	u := units[f.IntN(len(units))]
	return object("name", u[0], "symbol", u[1])
}

func someJSON(f *Faker, _ []string) string {
	return object("foo", some(f, letters, 10), "bar", f.IntN(100000), "bike", some(f, letters, 10), "a", f.IntN(100000),
		"b", some(f, letters, 10), "name", f.IntN(100000), "prop", some(f, letters, 10))
}

func foodDescription(f *Faker, _ []string) string {
	return fmt.Sprintf("A %s dish of %s with %s and %s, seasoned with %s.", functions["$foodAdjective"](f, nil), functions["$foodMeat"](f, nil),
		functions["$foodVegetable"](f, nil), functions["$foodIngredient"](f, nil), functions["$foodSpice"](f, nil))
}

func gitMessage(f *Faker) string {
	return f.HackerVerb() + " " + f.HackerAdjective() + " " + f.HackerNoun()
}

func gitDate(f *Faker, _ []string) string {
	at := time.Now().UTC().Truncate(day).Add(-time.Duration(f.Uint64() % uint64(day)))
	return at.Format("Mon Jan 2 15:04:05 2006 +0000")
}

func gitEntry(f *Faker, _ []string) string {
	return fmt.Sprintf("commit %s\r\nAuthor: %s %s <%s>\r\nDate: %s\r\n\r\n\u00a0\u00a0\u00a0\u00a0%s\r\n", some(f, hex, 40),
		f.FirstName(), f.LastName(), f.Email(), gitDate(f, nil), gitMessage(f))
}

func avatar(f *Faker, _ []string) string {
	return fmt.Sprintf("https://avatars.githubusercontent.com/u/%d", between(f, 1, 100_000_000))
}

func portrait(f *Faker, _ []string) string {
	return fmt.Sprintf("https://cdn.jsdelivr.net/gh/faker-js/assets-person-portrait/%s/512/%d.jpg", functions["$personSex"](f, nil), f.IntN(100))
}

func picsum(f *Faker, args []string) string {
	return fmt.Sprintf("https://picsum.photos/seed/%s/%d/%d", some(f, letters+digits, 8), length(args, 0, 640), length(args, 1, 480))
}

func dataURI(f *Faker, args []string) string {
	w, h := length(args, 0, 640), length(args, 1, 480)
	return "data:image/svg+xml;charset=UTF-8," + url.PathEscape(fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" version="1.1" `+
		`baseProfile="full" width="%d" height="%d"><rect width="100%%" height="100%%" fill="%s"/><text x="%d" y="%d" font-size="20" `+
		`alignment-baseline="middle" text-anchor="middle" fill="white">%dx%d</text></svg>`, w, h, f.HexColor(), w/2, h/2, w, h))
}

func jwt(f *Faker, _ []string) string {
	encode := base64.RawURLEncoding.EncodeToString
	issued := time.Now().UTC().Truncate(day).Unix() - int64(f.IntN(86400))
	return encode([]byte(object("alg", "HS256", "typ", "JWT"))) + "." +
		encode([]byte(object("iat", issued, "exp", issued+172800, "iss", f.LastName(), "sub", f.UUID(), "jti", f.UUID()))) + "." +
		some(f, letters+digits+"_-", 43)
}

func cron(f *Faker, _ []string) string {
	field := func(least, most int) string {
		if f.Bool() {
			return "*"
		}
		return strconv.Itoa(between(f, least, most))
	}
	return strings.Join([]string{field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)}, " ")
}

// printable returns the characters of ASCII from ! to }.
func printable() string {
	var b strings.Builder
	for c := byte('!'); c <= '}'; c++ {
		b.WriteByte(c)
	}
	return b.String()
}
