package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/kms"
	"loadkms/sandbox/ledger"
	"loadkms/sandbox/stack"
)

// tableName is the article's table.
const tableName = "Test"

// formation is who calls for a stack, as the trail shows it.
const formation = "cloudformation.amazonaws.com"

// kinds are the resources that the sandbox makes in earnest. Everything is done as who asked for the
// stack, with that caller's permissions.
func (s *Sandbox) kinds() map[string]stack.Kind {
	kinds := map[string]stack.Kind{
		"AWS::KMS::Key": {Make: s.makeKey, Remove: s.removeKey, Properties: []string{"BypassPolicyLockoutSafetyCheck", "Description",
			"EnableKeyRotation", "Enabled", "KeyPolicy", "KeySpec", "KeyUsage", "MultiRegion", "Origin", "PendingWindowInDays",
			"RotationPeriodInDays", "Tags"}},
		"AWS::KMS::Alias": {Make: s.makeAlias, Remove: s.removeAlias, Properties: []string{"AliasName*", "TargetKeyId*"}},
		"AWS::QLDB::Ledger": {Make: s.makeLedger, Remove: s.removeLedger,
			Properties: []string{"DeletionProtection", "KmsKey", "Name", "PermissionsMode*", "Tags"}},
		"AWS::IAM::Role": {Make: s.makeRole, Remove: s.removeRole, Properties: []string{"AssumeRolePolicyDocument*", "Description",
			"ManagedPolicyArns", "MaxSessionDuration", "Path", "Policies", "RoleName", "Tags"}},
	}
	if s.o.Keys != nil {
		// No ledger could use them, so a template with keys is refused at once.
		delete(kinds, "AWS::KMS::Key")
		delete(kinds, "AWS::KMS::Alias")
	}
	return kinds
}

// optional returns a property that is a whole number, or nil if it is not there.
func optional(r stack.Request, property string) (*int32, error) {
	if r.Properties[property] == nil {
		return nil, nil
	}
	n, err := strconv.ParseInt(r.Text(property), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("property %s is %q, want a whole number", property, r.Text(property))
	}
	i := int32(n)
	return &i, nil
}

// tags reads CloudFormation's list of Key and Value.
func tags(r stack.Request, each func(key, value string)) {
	list, _ := r.Properties["Tags"].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		tag := stack.Request{Properties: m}
		each(tag.Text("Key"), tag.Text("Value"))
	}
}

func (s *Sandbox) makeKey(_ context.Context, by iam.Caller, r stack.Request) (stack.Made, error) {
	in := &kms.CreateKeyRequest{Description: r.Text("Description"), KeySpec: r.Text("KeySpec"), KeyUsage: r.Text("KeyUsage"),
		Origin: r.Text("Origin"), MultiRegion: r.Text("MultiRegion") == "true",
		BypassPolicyLockoutSafetyCheck: r.Text("BypassPolicyLockoutSafetyCheck") == "true"}
	if policy := r.Properties["KeyPolicy"]; policy != nil {
		in.Policy = r.Text("KeyPolicy")
		if _, isText := policy.(string); !isText {
			in.Policy = stack.JSON(policy)
		}
	}
	tags(r, func(key, value string) { in.Tags = append(in.Tags, kms.Tag{TagKey: key, TagValue: value}) })
	period, err := optional(r, "RotationPeriodInDays")
	if err != nil {
		return stack.Made{}, err
	}
	out, err := s.kms.CreateKey(by, in)
	s.observe("CreateKey", by, formation, in, out, err)
	if err != nil {
		return stack.Made{}, err
	}
	m := out.KeyMetadata
	made := stack.Made{ID: m.KeyId, Attributes: map[string]string{"Arn": m.Arn, "KeyId": m.KeyId}}
	if r.Text("EnableKeyRotation") == "true" {
		in := &kms.EnableKeyRotationRequest{KeyId: m.KeyId, RotationPeriodInDays: period}
		err = s.kms.EnableKeyRotation(by, in)
		s.observe("EnableKeyRotation", by, formation, in, nil, err)
	}
	if err == nil && r.Text("Enabled") == "false" {
		in := &kms.DisableKeyRequest{KeyId: m.KeyId}
		err = s.kms.DisableKey(by, in)
		s.observe("DisableKey", by, formation, in, nil, err)
	}
	if err != nil {
		return made, errors.Join(err, s.removeKey(context.Background(), by, r, m.KeyId))
	}
	return made, nil
}

func (s *Sandbox) removeKey(_ context.Context, by iam.Caller, r stack.Request, id string) error {
	days, err := optional(r, "PendingWindowInDays")
	if err != nil {
		return err
	}
	in := &kms.ScheduleKeyDeletionRequest{KeyId: id, PendingWindowInDays: days}
	out, err := s.kms.ScheduleKeyDeletion(by, in)
	s.observe("ScheduleKeyDeletion", by, formation, in, out, err)
	return unlessKMS(err, "NotFoundException", "KMSInvalidStateException") // gone, or waiting for it already
}

// unlessKMS forgets the errors of KMS with one of the codes.
func unlessKMS(err error, codes ...string) error {
	if e, ok := errors.AsType[*kms.Error](err); ok {
		for _, code := range codes {
			if e.Code == code {
				return nil
			}
		}
	}
	return err
}

func (s *Sandbox) makeAlias(_ context.Context, by iam.Caller, r stack.Request) (stack.Made, error) {
	in := &kms.CreateAliasRequest{AliasName: r.Text("AliasName"), TargetKeyId: r.Text("TargetKeyId")}
	err := s.kms.CreateAlias(by, in)
	s.observe("CreateAlias", by, formation, in, nil, err)
	return stack.Made{ID: in.AliasName}, err
}

func (s *Sandbox) removeAlias(_ context.Context, by iam.Caller, _ stack.Request, name string) error {
	in := &kms.DeleteAliasRequest{AliasName: name}
	err := s.kms.DeleteAlias(by, in)
	s.observe("DeleteAlias", by, formation, in, nil, err)
	return unlessKMS(err, "NotFoundException")
}

// makeLedger makes a ledger and waits until it is active. The one behind the API gets the article's
// table, which the article makes by hand.
func (s *Sandbox) makeLedger(ctx context.Context, by iam.Caller, r stack.Request) (stack.Made, error) {
	in := &ledger.CreateLedgerRequest{Name: r.Text("Name"), PermissionsMode: r.Text("PermissionsMode"), KmsKey: r.Text("KmsKey"),
		Tags: map[string]string{}}
	if in.Name == "" {
		in.Name = r.Name
	}
	if text := r.Text("DeletionProtection"); text != "" {
		protected := text == "true"
		in.DeletionProtection = &protected
	}
	tags(r, func(key, value string) { in.Tags[key] = value })
	out, err := s.ledgers.CreateLedger(ctx, by, in)
	s.observeQLDB("CreateLedger", by, in, out, err)
	if err != nil {
		return stack.Made{}, err
	}
	made := stack.Made{ID: in.Name, Attributes: map[string]string{"Id": in.Name}}
	for {
		d, err := s.ledgers.DescribeLedger(ctx, by, in.Name)
		if err != nil {
			return made, err
		}
		if d.State == "ACTIVE" {
			break
		}
		if !s.clock.Sleep(ctx, time.Second) {
			return made, context.Cause(ctx)
		}
	}
	if s.ledger == "" { // the first one of the stack at the start
		s.ledger = in.Name
	}
	if in.Name == s.ledger {
		if _, err := s.ledgers.CreateTable(ctx, by, in.Name, tableName); err != nil {
			return made, fmt.Errorf("create table %s: %w", tableName, err)
		}
	}
	return made, nil
}

func (s *Sandbox) removeLedger(ctx context.Context, by iam.Caller, _ stack.Request, name string) error {
	err := s.ledgers.DeleteLedger(ctx, by, name)
	s.observeQLDB("DeleteLedger", by, map[string]string{"Name": name}, nil, err)
	for err == nil {
		if _, err = s.ledgers.DescribeLedger(ctx, by, name); err == nil && !s.clock.Sleep(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
	if e, ok := errors.AsType[*ledger.Error](err); ok && e.Code == "ResourceNotFoundException" {
		return nil
	}
	return err
}

// makeRole lets a role exist, with its inline policies. The article's roles exist without a stack too, and
// then get the template's policies.
func (s *Sandbox) makeRole(_ context.Context, by iam.Caller, r stack.Request) (stack.Made, error) {
	name := r.Text("RoleName")
	if name == "" {
		name = r.Name
	}
	if path := r.Text("Path"); path != "" && path != "/" {
		return stack.Made{}, fmt.Errorf("the sandbox has roles with the path / only, not %q", path)
	}
	if r.Properties["ManagedPolicyArns"] != nil {
		return stack.Made{}, errors.New("the sandbox has no managed policies; write them into Policies")
	}
	var policies []string
	list, _ := r.Properties["Policies"].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		policies = append(policies, stack.JSON(m["PolicyDocument"]))
	}
	arn := iam.RoleARN(s.Account(), name)
	if err := s.mayChangeRole(by, arn, "iam:CreateRole", "iam:PutRolePolicy"); err != nil {
		return stack.Made{}, err
	}
	if _, taken := s.roles.LoadOrStore(arn, true); taken {
		return stack.Made{}, fmt.Errorf("Role with name %s already exists.", name) //nolint:staticcheck // AWS's words
	}
	if err := s.kms.Directory().Add(arn, policies...); err != nil {
		s.roles.Delete(arn)
		return stack.Made{}, err
	}
	if err := s.keepRole(arn, roleRecord{true, policies}); err != nil {
		return stack.Made{}, err
	}
	return stack.Made{ID: name, Attributes: map[string]string{"Arn": arn, "RoleId": principalID(arn)}}, nil
}

// removeRole takes a role's policies away. Its name stays known, for the key policies that have it.
func (s *Sandbox) removeRole(_ context.Context, by iam.Caller, _ stack.Request, name string) error {
	arn := iam.RoleARN(s.Account(), name)
	if err := s.mayChangeRole(by, arn, "iam:DeleteRolePolicy", "iam:DeleteRole"); err != nil {
		return err
	}
	defer s.roles.Delete(arn)
	if err := s.kms.Directory().Add(arn); err != nil {
		return err
	}
	return s.keepRole(arn, roleRecord{})
}

// mayChangeRole refuses who may use CloudFormation but not IAM: through a stack they could otherwise
// make themselves a role that may do everything.
func (s *Sandbox) mayChangeRole(by iam.Caller, arn string, actions ...string) error {
	for _, action := range actions {
		if s.kms.Directory().Identity(&iam.Request{Caller: by, Action: action, Resource: arn, Environment: s.environment()}) != iam.Allow {
			return fmt.Errorf("User: %s is not authorized to perform: %s on resource: %s", by.Principal, action, arn) //nolint:staticcheck // AWS's words
		}
	}
	return nil
}

// build makes the stack that the sandbox starts with.
func (s *Sandbox) build(ctx context.Context, o Options) error {
	text := o.Template
	if text == "" {
		text = stack.Article
	}
	template, err := stack.Parse(text)
	if err != nil {
		return templateError(err)
	}
	values := map[string]string{}
	for _, p := range template.Parameters {
		if p.Name == "Stage" || p.Name == "stage" {
			values[p.Name] = o.Stage
		}
	}
	for name, value := range o.Parameters {
		values[name] = value
	}
	_, err = s.stacks.Deploy(ctx, s.kms.Directory().Admin(), stack.Creation{Name: s.stack, Template: template, Parameters: values,
		Capabilities: []string{"CAPABILITY_NAMED_IAM"}})
	if err != nil {
		return templateError(err)
	}
	return nil
}

// templateError leaves out what only clients need to know of an error.
func templateError(err error) error {
	if e, ok := errors.AsType[*stack.Error](err); ok {
		return errors.New(e.Message)
	}
	return err
}
