package stack

import (
	"context"
	"slices"
	"strings"

	"loadkms/sandbox/iam"
)

// A Kind makes and removes the resources of one type.
type Kind struct {
	// Properties are the names of those it takes, in any order; one with an asterisk ("KeyPolicy*") is
	// required. A template that has others is refused, as AWS does.
	Properties []string
	// Make makes a resource for the caller who asked for the stack. It returns what Ref means and what
	// Fn::GetAtt knows. Its error becomes the reason of CREATE_FAILED.
	Make func(ctx context.Context, by iam.Caller, r Request) (Made, error)
	// Remove removes it. A resource that is gone already is no error.
	Remove func(ctx context.Context, by iam.Caller, r Request, physical string) error
}

// A Request is for one resource.
type Request struct {
	Name       string         // a name for it, for kinds whose template may leave it out
	Properties map[string]any // evaluated: maps, lists, strings, json.Numbers, bools and nils
}

// Text returns a property that is a string, number or bool, or "".
func (r Request) Text(property string) string {
	if v, ok := r.Properties[property]; ok {
		text, _ := scalarText(v)
		return text
	}
	return ""
}

// A Made is a resource that was made.
type Made struct {
	ID         string            // the physical id, which is what Ref means
	Attributes map[string]string // for Fn::GetAtt
}

// inert are the types that the sandbox accepts and keeps a name for, and nothing else: what the
// Serverless Framework makes around the article's ledger.
var inert = []string{"AWS::ApiGateway::", "AWS::IAM::", "AWS::Lambda::", "AWS::Logs::", "AWS::S3::"}

// kind returns who makes resources of a type; nil if nobody does.
func (s *Service) kind(name string) *Kind {
	if k, ok := s.o.Kinds[name]; ok {
		return &k
	}
	if slices.ContainsFunc(inert, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
		return &Kind{}
	}
	return nil
}

// names are the properties by which templates name resources.
var names = []string{"FunctionName", "RoleName", "PolicyName", "LogGroupName", "BucketName", "Name"}

// keep names an inert resource.
func (s *Service) keep(kind string, r Request) Made {
	id := r.Name
	for _, property := range names {
		if text := r.Text(property); text != "" {
			id = text
			break
		}
	}
	if strings.HasPrefix(kind, "AWS::ApiGateway::") {
		id = strings.ToLower(randomText(10)) // API Gateway's ids are no names
	}
	service := strings.ToLower(strings.Split(kind, "::")[1])
	arn := "arn:aws:" + service + ":" + s.o.Region + ":" + s.o.Account + ":" + id
	switch kind {
	case "AWS::Lambda::Function":
		arn = "arn:aws:lambda:" + s.o.Region + ":" + s.o.Account + ":function:" + id
	case "AWS::Logs::LogGroup":
		arn = "arn:aws:logs:" + s.o.Region + ":" + s.o.Account + ":log-group:" + id + ":*"
	case "AWS::S3::Bucket":
		arn = "arn:aws:s3:::" + id
	case "AWS::IAM::Role":
		arn = iam.RoleARN(s.o.Account, id)
	case "AWS::Lambda::Version":
		arn = "arn:aws:lambda:" + s.o.Region + ":" + s.o.Account + ":function:" + id + ":1"
		id = arn
	}
	return Made{ID: id, Attributes: map[string]string{"Arn": arn, "RootResourceId": strings.ToLower(randomText(10)), "Version": "1",
		"RoleId": "AROA" + randomText(17), "DomainName": id + ".s3.amazonaws.com"}}
}

// checkProperties says what is wrong with the names of a resource's properties, or "".
func (k *Kind) checkProperties(logical string, properties map[string]any) string {
	if k.Make == nil {
		return "" // inert: it takes everything
	}
	known := map[string]bool{}
	for _, name := range k.Properties {
		name, required := strings.CutSuffix(name, "*")
		known[name] = true
		if _, ok := properties[name]; required && !ok {
			return "Properties validation failed for resource " + logical + " with message:\n#: required key [" + name + "] not found"
		}
	}
	for _, name := range sorted(properties) {
		if !known[name] {
			return "Properties validation failed for resource " + logical + " with message:\n#: extraneous key [" + name + "] is not permitted"
		}
	}
	return ""
}
