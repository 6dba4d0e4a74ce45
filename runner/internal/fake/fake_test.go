package fake

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/brianvoe/gofakeit/v7"
)

// The shapes several functions share.
const (
	aWord   = `\p{L}[\p{L}'’.-]*`
	aPhrase = `[\p{L}\p{N}][\p{L}\p{M}\p{N} '’"“”&.,()/*:;!?+#%$~@-]*`
	aNumber = `-?\d+(\.\d+)?`
	aSum    = `\d+\.\d\d`
	aTime   = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`
	aDomain = `[a-z0-9-]+\.[a-z]+`
	aShare  = `(0(\.\d+)?|1(\.0+)?)`
	aWeb    = `https?://[A-Za-z0-9./?=_-]+`
	anAddr  = `[A-Za-z0-9._+'-]+@[A-Za-z0-9.-]+\.[a-z]+`
)

// shapes say what each function yields, whole.
var shapes = map[string]string{
	"$addressCityPrefix": aWord, "$addressCitySuffix": `[a-z]+`, "$addressStateAbbr": `[A-Z]{2}`, "$addressStreetPrefix": aWord, "$addressStreetSuffix": aWord,
	"$airlineAircraftType": `[a-z]+`, "$airlineAirline": `\{"name":"[^"]+","iataCode":"[A-Z0-9]{2}"\}`, "$airlineAirplane": `\{"name":"[^"]+","iataTypeCode":"[A-Z0-9]{3}"\}`,
	"$airlineAirport": `\{"name":"[^"]+","iataCode":"[A-Z]{3}"\}`, "$airlineFlightNumber": `[1-9]\d{0,3}`, "$airlineRecordLocator": `[A-Z]{6}`, "$airlineSeat": `\d{1,2}[A-F]`,
	"$animalBear": aPhrase, "$animalBird": aPhrase, "$animalCat": aPhrase, "$animalCetacean": aPhrase, "$animalCow": aPhrase, "$animalCrocodilia": aPhrase, "$animalDog": aPhrase,
	"$animalFish": aPhrase, "$animalHorse": aPhrase, "$animalInsect": aPhrase, "$animalLion": aPhrase, "$animalPetName": aPhrase, "$animalRabbit": aPhrase, "$animalRodent": aPhrase,
	"$animalSnake": aPhrase, "$animalType": aPhrase,
	"$bookAuthor": aPhrase, "$bookFormat": aWord, "$bookGenre": aPhrase, "$bookPublisher": aPhrase, "$bookSeries": aPhrase, "$bookTitle": aPhrase,
	"$colorCmyk": `\[` + aShare + `(,` + aShare + `){3}\]`, "$colorColorByCSSColorSpace": `\[` + aShare + `(,` + aShare + `){2}\]`, "$colorCssSupportedFunction": `[a-z]+`,
	"$colorCssSupportedSpace": `[A-Za-z0-9-]+`, "$colorHsl": `\[\d{1,3}(,` + aShare + `){2}\]`, "$colorHuman": `[a-z ]+`, "$colorHwb": `\[\d{1,3}(,` + aShare + `){2}\]`,
	"$colorLab": `\[` + aShare + `(,` + aNumber + `){2}\]`, "$colorLch": `\[` + aShare + `(,` + aNumber + `){2}\]`, "$colorRgb": `#[0-9a-f]{6}`, "$colorSpace": aPhrase,
	"$commerceDepartment": aWord, "$commerceIsbn": `97[89](-\d+){3}-\d`, "$commercePrice": aSum, "$commerceProduct": aWord, "$commerceProductAdjective": aWord,
	"$commerceProductDescription": aPhrase, "$commerceProductMaterial": aWord, "$commerceProductName": `(\w+ ){2}\w+`, "$commerceUpc": `\d{12}`,
	"$companyBuzzAdjective": aWord, "$companyBuzzNoun": aWord, "$companyBuzzPhrase": `([\w-]+ ){2}\w+`, "$companyBuzzVerb": aWord, "$companyCatchPhrase": `(\S+ ){2}\S+`,
	"$companyCatchPhraseAdjective": aWord, "$companyCatchPhraseDescriptor": `[\w/-]+`, "$companyCatchPhraseNoun": aWord, "$companyCompanySuffix": aPhrase, "$companyName": aPhrase,
	"$databaseCollation": `[a-z0-9_]+`, "$databaseColumn": aWord, "$databaseEngine": aWord, "$databaseMongodbObjectId": `[0-9a-f]{24}`, "$databaseType": `[a-z]+`,
	"$datatypeBoolean": `true|false`, "$datatypeJson": `\{"foo":.*\}`,
	"$dateAnytime": aTime, "$dateBirthdate": aTime, "$dateFuture": aTime, "$dateMonth": `[A-Z][a-z]+`, "$datePast": aTime, "$dateRecent": aTime, "$dateSoon": aTime,
	"$dateTimeZone": `[A-Z][a-z]+/[A-Z][A-Za-z_]+`, "$dateWeekday": `[A-Z][a-z]+day`,
	"$financeAccountName": `([A-Z][a-z]+ ){1,3}Account`, "$financeAccountNumber": `\d{8}`, "$financeAmount": aSum, "$financeBic": `[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?`,
	"$financeBitcoinAddress": `[13][1-9A-HJ-NP-Za-km-z]{25,33}`, "$financeCreditCardCVV": `\d{3}`, "$financeCreditCardIssuer": `[a-z_]+`, "$financeCreditCardNumber": `\d{12,19}`,
	"$financeCurrency": `\{"name":"[^"]+","code":"[A-Z]{3}","symbol":"[^"]+","numericCode":"\d{3}"\}`, "$financeCurrencyCode": `[A-Z]{3}`, "$financeCurrencyName": aPhrase,
	"$financeCurrencyNumericCode": `\d{3}`, "$financeCurrencySymbol": `\S+`, "$financeEthereumAddress": `0x[0-9a-f]{40}`, "$financeIban": `DE\d{20}`,
	"$financeLitecoinAddress": `[LM3][1-9A-HJ-NP-Za-km-z]{25,32}`, "$financeMaskedNumber": `\(\.\.\.\d{4}\)`, "$financePin": `\d{4}`, "$financeRoutingNumber": `\d{9}`,
	"$financeTransactionDescription": `(deposit|invoice|payment|withdrawal) transaction at .+ for [A-Z]{3} ` + aSum + ` in account \*\*\*\d{4}`,
	"$financeTransactionType":        `[a-z]+`,
	"$foodAdjective":                 aWord, "$foodDescription": `A .+\.`, "$foodDish": aPhrase, "$foodEthnicCategory": aWord, "$foodFruit": aPhrase, "$foodIngredient": aPhrase,
	"$foodMeat": aPhrase, "$foodSpice": aPhrase, "$foodVegetable": aPhrase,
	"$gitBranch": `[\w.-]+`, "$gitCommitDate": `[A-Z][a-z]{2} [A-Z][a-z]{2} \d{1,2} \d\d:\d\d:\d\d \d{4} \+0000`,
	"$gitCommitEntry": `commit [0-9a-f]{40}\r\nAuthor: [^<]+ <\S+@\S+>\r\nDate: [^\r]+\r\n\r\n.+\r\n`, "$gitCommitMessage": `.+ .+ .+`,
	"$gitCommitSha": `[0-9a-f]{40}`, "$gitShortSha": `[0-9a-f]{7}`,
	"$hackerAbbreviation": `[A-Z0-9]+`, "$hackerAdjective": aPhrase, "$hackerIngverb": `.*ing.*`, "$hackerNoun": aPhrase, "$hackerPhrase": aPhrase, "$hackerVerb": aPhrase,
	"$imageAvatar": aWeb, "$imageAvatarGitHub": aWeb, "$imageDataUri": `data:image/svg\+xml;charset=UTF-8,%3Csvg.+%3C%2Fsvg%3E`,
	"$imagePersonPortrait": `https://\S+/(fe)?male/512/\d{1,2}\.jpg`, "$imageUrl": aWeb, "$imageUrlLoremFlickr": `https://\S+/640/480\?lock=\d+`,
	"$imageUrlPicsumPhotos": `https://\S+/640/480`, "$imageUrlPlaceholder": `https://\S+/640x480/[0-9a-f]{6}/[0-9a-f]{6}\.png`,
	"$internetDisplayName": `[A-Za-z0-9._]+`, "$internetDomainName": aDomain, "$internetDomainSuffix": `[a-z]+`, "$internetDomainWord": `[a-z0-9-]+`, "$internetEmail": anAddr,
	"$internetEmoji": `[^A-Za-z0-9]\S*`, "$internetExampleEmail": `[A-Za-z0-9._]+@example\.(com|net|org)`, "$internetHttpMethod": `[A-Z]+`, "$internetHttpStatusCode": `[1-5]\d\d`,
	"$internetIp": `[0-9a-f.:]+`, "$internetIpv4": `(\d{1,3}\.){3}\d{1,3}`, "$internetIpv6": `[0-9a-f:]+`, "$internetJwt": `[\w-]+\.[\w-]+\.[\w-]{43}`,
	"$internetJwtAlgorithm": `[A-Z]{2}\d{3}|none`, "$internetMac": `([0-9a-f]{2}:){5}[0-9a-f]{2}`, "$internetPassword": `\w{15}`, "$internetPort": `\d{1,5}`,
	"$internetProtocol": `https?`, "$internetUrl": `https://` + aDomain + `/`, "$internetUserAgent": `\S+/.*`, "$internetUsername": `[A-Za-z0-9._]+`,
	"$locationBuildingNumber": `\d{3,5}`, "$locationCardinalDirection": aWord, "$locationCity": aPhrase, "$locationContinent": aPhrase, "$locationCountry": aPhrase,
	"$locationCountryCode": `[A-Z]{2}`, "$locationCounty": aPhrase, "$locationDirection": aWord, "$locationLanguage": `\{"name":"[^"]+","alpha2":"[a-z]{2}","alpha3":"[a-z]{3}"\}`,
	"$locationLatitude": `-?\d{1,2}\.\d{4}`, "$locationLongitude": `-?\d{1,3}\.\d{4}`, "$locationNearbyGPSCoordinate": `\[` + aNumber + `,` + aNumber + `\]`,
	"$locationOrdinalDirection": aWord, "$locationSecondaryAddress": `(Apt\.|Suite) \d{3}`, "$locationState": aPhrase, "$locationStreet": `[\p{L}' ]+ [A-Z][a-z]+`,
	"$locationStreetAddress": `\d{3,5} [\p{L}' ]+ [A-Z][a-z]+`, "$locationTimeZone": `[A-Z][a-z]+/[A-Z][A-Za-z_]+`, "$locationZipCode": `\d{5}(-\d{4})?`,
	"$loremLines": `([A-Z][a-z ]+\.\n?){1,5}`, "$loremParagraph": `([A-Z][a-z ]+\. ?){3}`, "$loremParagraphs": `([A-Z][a-z .]+[A-Za-z .]+\n?){3}`, "$loremSentence": `[A-Z][a-z]*( [a-z]+){2,9}\.`,
	"$loremSentences": `([A-Z][a-z ]+\. ?){2,6}`, "$loremSlug": `[a-z]+-[a-z]+-[a-z]+`, "$loremText": `([A-Z][a-z ]+\. ?)+`, "$loremWord": `[a-z]+`, "$loremWords": `[a-z]+ [a-z]+ [a-z]+`,
	"$musicAlbum": aPhrase, "$musicArtist": aPhrase, "$musicGenre": aPhrase, "$musicSongName": aPhrase,
	"$numberBigInt": `\d{1,15}`, "$numberBinary": `[01]`, "$numberFloat": `0(\.\d+)?`, "$numberHex": `[0-9a-f]`, "$numberInt": `\d{1,16}`, "$numberOctal": `[0-7]`, "$numberRomanNumeral": `[MDCLXVI]+`,
	"$personBio": aPhrase, "$personFirstName": aWord, "$personFullName": aPhrase, "$personGender": aPhrase, "$personJobArea": aWord, "$personJobDescriptor": aWord,
	"$personJobTitle": `\w+ \w+ \w+`, "$personJobType": aWord, "$personLastName": aPhrase, "$personMiddleName": aWord, "$personPrefix": `[A-Z][a-z]+\.?`, "$personSex": `(fe)?male`,
	"$personSexType": `(fe)?male`, "$personSuffix": `[A-Za-z]+\.?`, "$personZodiacSign": aWord,
	"$phoneImei": `\d{2}-\d{6}-\d{6}-\d`, "$phoneNumber": `[2-9]\d\d-[2-9]\d\d-\d{4}`, "$phonePhoneFormats": `[!#(). 1-]+`,
	"$randomLocale": `[a-z]{2}(_[A-Z]{2})?`, "$scienceChemicalElement": `\{"symbol":"[A-Z][a-z]?","name":"[A-Z][a-z]+","atomicNumber":\d+\}`, "$scienceUnit": `\{"name":"[^"]+","symbol":"[^"]+"\}`,
	"$stringAlpha": `[A-Za-z]`, "$stringAlphanumeric": `[A-Za-z0-9]`, "$stringBinary": `0b[01]`, "$stringHexadecimal": `0x[0-9A-Fa-f]`, "$stringNanoid": `[\w-]{21}`, "$stringNumeric": `\d`,
	"$stringOctal": `0o[0-7]`, "$stringSample": `[!-}]{10}`, "$stringSymbol": `[[:punct:]]`, "$stringUlid": `[0-7][0-9A-HJKMNP-TV-Z]{25}`,
	"$stringUuid":          `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`,
	"$systemCommonFileExt": `[a-z0-9]+`, "$systemCommonFileName": `[a-z]+_[a-z]+\.[a-z0-9]+`, "$systemCommonFileType": `[a-z]+`, "$systemCron": `((\*|\d{1,2}) ){4}(\*|[0-6])`,
	"$systemDirectoryPath": `(/[A-Za-z]+)+`, "$systemFileExt": `[a-z0-9]+`, "$systemFileName": `[a-z]+_[a-z]+\.[a-z0-9]+`, "$systemFilePath": `(/[A-Za-z]+)+/[a-z]+_[a-z]+\.[a-z0-9]+`,
	"$systemFileType": `[a-z]+`, "$systemMimeType": `[a-z]+/[a-z0-9+.-]+`, "$systemNetworkInterface": `(en|wl|ww)[a-z0-9]+`, "$systemSemver": `\d+\.\d+\.\d+`, "$timeRecent": `\d{12,13}`,
	"$vehicleBicycle": aPhrase, "$vehicleColor": `[a-z ]+`, "$vehicleFuel": aWord, "$vehicleManufacturer": aPhrase, "$vehicleModel": aPhrase, "$vehicleType": aPhrase, "$vehicleVehicle": aPhrase,
	"$vehicleVin": `[0-9A-HJ-NPR-Z]{17}`, "$vehicleVrm": `[A-Z]{2}\d{2}[A-Z]{3}`,
	"$wordAdjective": aPhrase, "$wordAdverb": aPhrase, "$wordConjunction": aWord, "$wordInterjection": aPhrase, "$wordNoun": aPhrase, "$wordPreposition": aPhrase, "$wordSample": aPhrase,
	"$wordVerb": aPhrase, "$wordWords": aPhrase,
}

func TestShapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a day that does not end
		for _, name := range Names() {
			shape, ok := shapes[name]
			if !ok {
				t.Errorf("%s: has no shape", name)
				continue
			}
			whole := regexp.MustCompile(`(?s)^(?:` + shape + `)$`)
			maker, _ := Func(name)
			f, again := gofakeit.New(17), gofakeit.New(17)
			for range 300 {
				got := maker(f, nil)
				if !whole.MatchString(got) || !utf8.ValidString(got) {
					t.Errorf("%s: got %q, want %s", name, got, shape)
					break
				}
				if second := maker(again, nil); second != got {
					t.Errorf("%s: got %q and %q from the same seed", name, got, second)
					break
				}
				if (got[0] == '{' || got[0] == '[') && name != "$stringSample" && name != "$stringSymbol" && !json.Valid([]byte(got)) {
					t.Errorf("%s: %s is not JSON", name, got)
					break
				}
			}
		}
	})
	for name := range shapes {
		if _, ok := Func(name); !ok {
			t.Errorf("%s: there is none", name)
		}
	}
}

// TestVaries finds that no function always says the same.
func TestVaries(t *testing.T) {
	f := gofakeit.New(1)
	for _, name := range Names() {
		maker, _ := Func(name)
		seen := map[string]bool{}
		for range 100 {
			seen[maker(f, nil)] = true
		}
		if len(seen) < 2 {
			t.Errorf("%s: always %v", name, seen)
		}
	}
}

// TestArguments gives the functions that take them numbers, and all of them nonsense.
func TestArguments(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"$stringAlpha", []string{"10"}, `[A-Za-z]{10}`},
		{"$stringHexadecimal", []string{"4"}, `0x[0-9A-Fa-f]{4}`},
		{"$stringNumeric", []string{" 6"}, `\d{6}`},
		{"$internetPassword", []string{"20"}, `\w{20}`},
		{"$loremWords", []string{"5"}, `([a-z]+ ){4}[a-z]+`},
		{"$loremSentence", []string{"1"}, `[A-Z][a-z]*\.`},
		{"$numberInt", []string{"9"}, `\d`},
		{"$numberInt", []string{"5", "6"}, `5|6`},
		{"$numberInt", []string{"6", "5"}, `5|6`},
		{"$numberInt", []string{"-9223372036854775808", "9223372036854775807"}, `-?\d+`},
		{"$numberFloat", []string{"2", "3"}, `2\.\d+`},
		{"$numberHex", []string{"16", "255"}, `[0-9a-f]{2}`},
		{"$numberRomanNumeral", []string{"9", "9"}, `IX`},
		{"$numberRomanNumeral", []string{"5000", "9000"}, `MMMCMXCIX`},
		{"$financeAmount", []string{"5", "6", "0"}, `5|6`},
		{"$financeMaskedNumber", []string{"2"}, `\(\.\.\.\d\d\)`},
		{"$commercePrice", []string{"100", "200", "3"}, `(1\d\d\.\d{3}|200\.000)`},
		{"$imageUrl", []string{"10", "20"}, `https://\S+/10/20`},
		{"$stringAlpha", []string{"-1"}, `[A-Za-z]`},
		{"$stringAlpha", []string{"1000000000"}, `[A-Za-z]`},
		{"$stringAlpha", []string{"many"}, `[A-Za-z]`},
	}
	for _, test := range tests {
		maker, ok := Func(test.name)
		if !ok {
			t.Fatalf("%s: there is none", test.name)
		}
		f := gofakeit.New(3)
		for range 100 {
			if got := maker(f, test.args); !regexp.MustCompile(`^(?:` + test.want + `)$`).MatchString(got) {
				t.Errorf("%s(%q): got %q, want %s", test.name, test.args, got, test.want)
				break
			}
		}
	}
	f := gofakeit.New(4)
	for _, name := range Names() {
		maker, _ := Func(name)
		for _, args := range [][]string{{""}, {"x", "y", "z"}, {"-5", "-7", "-9"}, {"99999999999999999999"}, {"0"}, {"1", "2", "3", "4"}} {
			if got := maker(f, args); !utf8.ValidString(got) || len(got) > 4<<20 {
				t.Errorf("%s(%q): got %d bytes of %.20q", name, args, len(got), got)
			}
		}
	}
}

// TestTruths checks what a shape cannot say.
func TestTruths(t *testing.T) {
	f := gofakeit.New(5)
	yield := func(name string) string {
		maker, ok := Func(name)
		if !ok {
			t.Fatalf("%s: there is none", name)
		}
		return maker(f, nil)
	}
	checksum := func(number string) bool { // of Luhn's: every second digit from the right counts twice
		sum, twice := 0, false
		for _, c := range slices.Backward([]byte(strings.ReplaceAll(number, "-", ""))) {
			n := int(c - '0')
			if twice {
				n = 2*n/10 + 2*n%10
			}
			sum, twice = sum+n, !twice
		}
		return sum%10 == 0
	}
	for range 200 {
		now := time.Now()
		for name, in := range map[string]func(at time.Time) bool{
			"$datePast":      func(at time.Time) bool { return at.Before(now) && at.After(now.AddDate(-1, 0, -3)) },
			"$dateFuture":    func(at time.Time) bool { return at.After(now) && at.Before(now.AddDate(1, 0, 3)) },
			"$dateRecent":    func(at time.Time) bool { return at.Before(now) && at.After(now.AddDate(0, 0, -3)) },
			"$dateSoon":      func(at time.Time) bool { return at.After(now) && at.Before(now.AddDate(0, 0, 3)) },
			"$dateBirthdate": func(at time.Time) bool { return at.Before(now.AddDate(-18, 0, 0)) && at.After(now.AddDate(-81, 0, 0)) },
		} {
			if at, err := time.Parse(time.RFC3339, yield(name)); err != nil || !in(at) {
				t.Errorf("%s: got %s at %s (%v)", name, at, now, err)
			}
		}
		if at, err := strconv.ParseInt(yield("$timeRecent"), 10, 64); err != nil || now.Sub(time.UnixMilli(at)) > 49*time.Hour || now.UnixMilli() < at {
			t.Errorf("$timeRecent: got %d at %d (%v)", at, now.UnixMilli(), err)
		}
		for _, name := range []string{"$internetIp", "$internetIpv4", "$internetIpv6"} {
			if got := yield(name); !netip.MustParseAddr(got).IsValid() {
				t.Errorf("%s: got %s", name, got)
			}
		}
		for _, name := range []string{"$internetUrl", "$imageUrl", "$imageDataUri", "$imageAvatar"} {
			if got := yield(name); func() bool { u, err := url.Parse(got); return err != nil || !u.IsAbs() }() {
				t.Errorf("%s: got %s", name, got)
			}
		}
		for _, name := range []string{"$phoneImei", "$financeCreditCardNumber"} {
			if got := yield(name); !checksum(got) {
				t.Errorf("%s: the checksum of %s is wrong", name, got)
			}
		}
		if got := yield("$financeIban"); ibanRest(got) != 1 {
			t.Errorf("$financeIban: the checksum of %s is wrong", got)
		}
		part, _, _ := strings.Cut(yield("$internetJwt"), ".")
		if got, err := base64.RawURLEncoding.DecodeString(part); err != nil || !json.Valid(got) {
			t.Errorf("$internetJwt: begins with %q (%v)", got, err)
		}
		if got := yield("$internetHttpStatusCode"); !slices.Contains(statuses, func() int { n, _ := strconv.Atoi(got); return n }()) {
			t.Errorf("$internetHttpStatusCode: got %s", got)
		}
	}
}

// ibanRest returns the rest of an IBAN by 97, digit by digit as ISO 13616 has it.
func ibanRest(iban string) int {
	rest := 0
	for _, c := range iban[4:] + iban[:4] {
		if c >= 'A' {
			rest = (100*rest + int(c-'A') + 10) % 97
		} else {
			rest = (10*rest + int(c-'0')) % 97
		}
	}
	return rest
}
