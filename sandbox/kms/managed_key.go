package kms

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"loadkms/sandbox/iam"
)

// Keys differ in who manages them:
//
//	                      customer managed   AWS managed            AWS owned
//	in the account        yes                yes, as alias/aws/…    no
//	DescribeKey, policy   yes                yes, to read           no
//	change, disable,      yes                no: the key's policy   no
//	 delete, rotate                          gives nobody the right
//	rotated               if wanted          every 365 days         by AWS
//	used by               whom its policy    the account, through   the service
//	                      names              the service alone
//	in CloudTrail         yes                yes                    no
//	paid for              yes                its use only           no
//
// An AWS managed key comes to be when a service first asks for it. AWS owned keys are in an account of
// AWS; for everybody but their service they are what any key of a foreign account is.

// A managedService is what the description and the policy of a service's key say of it.
type managedService struct{ name, things string }

// managedServices are the services that have an AWS managed key in every account. A service that is
// not here has none in the sandbox.
var managedServices = map[string]managedService{
	"acm": {"ACM", "private keys"}, "backup": {"Backup", "data"}, "codecommit": {"CodeCommit", "repositories"},
	"dynamodb": {"DynamoDB", "data"}, "ebs": {"EBS", "volumes"}, "elasticfilesystem": {"EFS", "filesystems"},
	"es": {"OpenSearch", "data"}, "glue": {"Glue", "data"}, "kinesis": {"Kinesis", "data"},
	"kinesisvideo": {"Kinesis Video", "data"}, "lambda": {"Lambda", "functions"}, "rds": {"RDS", "database volumes"},
	"redshift": {"Redshift", "clusters"}, "s3": {"S3", "objects"}, "secretsmanager": {"Secrets Manager", "secrets"},
	"sns": {"SNS", "data"}, "sqs": {"SQS", "messages"}, "ssm": {"SSM", "parameters"}, "xray": {"X-Ray", "data"},
}

// viaNames are the services whose name in kms:ViaService is not that in their alias.
var viaNames = map[string]string{"ebs": "ec2"}

// wanting notes that a call asked for an AWS managed key which is not there yet.
func (c *call) wanting(alias string) {
	if _, ok := managedServices[strings.TrimPrefix(alias, reservedPrefix)]; ok {
		c.wants = alias
	}
}

// provide makes the AWS managed key that a call has asked for in vain, and reports
// whether the call is to be run again. DescribeKey makes one for everybody who may describe it, all
// else only for callers that come through the service.
func (s *Service) provide(c *call, operation string) bool {
	if c.wants == "" || operation != "DescribeKey" && c.caller.Via == "" {
		return false
	}
	service := strings.TrimPrefix(c.wants, reservedPrefix)
	k := makeKey(c.now, s.account, s.region, managedPolicy(s.account, s.region, service))
	k.description = fmt.Sprintf("Default key that protects my %s %s when no other key is defined",
		managedServices[service].name, managedServices[service].things)
	k.rotation = rotation{enabled: true, period: usualPeriod}
	k.rotation.next = c.now.Add(k.rotation.days())
	s.mu.Lock()
	defer s.unlock()
	if s.aliases[c.wants] == nil {
		if s.authorize(c, "DescribeKey", k, access{alias: c.wants}) != nil {
			return false
		}
		s.rememberAliases(c.now)
		s.keys[k.name()] = k
		s.aliases[c.wants] = &alias{target: k, created: c.now, updated: c.now}
		s.expect(k.rotation.next)
	}
	c.wants = ""
	return true
}

// awsAccount is the account that the sandbox's AWS owned keys are in. No customer of AWS has it.
const awsAccount = "000000000001"

// OwnedKey returns the ARN of the AWS owned key of a service, such as "qldb.amazonaws.com". It is made
// when the service first asks, and it exists for the service alone: calls with iam.Caller.Service. It
// is what encrypts data for which the customer chose no key.
func (s *Service) OwnedKey(service string) string {
	s.mu.Lock()
	defer s.unlock()
	for arn, k := range s.owned {
		if iam.SameService(k.owner, service) {
			return arn
		}
	}
	k := makeKey(s.clock.Now(), awsAccount, s.region, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
		`"Principal":{"Service":%q},"Action":"kms:*","Resource":"*"}]}`, service))
	k.owner = service
	s.owned[k.arn] = k
	return k.arn
}

// makeKey makes a symmetric key as CreateKey would, but for AWS and with a policy that must be right.
func makeKey(now time.Time, account, region, policy string) *key {
	k := &key{id: uuid.New(), created: now, spec: symmetric, usage: encryptDecrypt, origin: "AWS_KMS", manager: "AWS",
		state: Enabled, policyText: policy, grants: map[string]*grant{}, used: &usage{}}
	k.arn = fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", region, account, k.name())
	k.current = k.add(newMaterial(k.id), now)
	var err error
	if k.policy, err = iam.ParsePolicy([]byte(policy), iam.Resource); err != nil {
		panic(fmt.Sprintf("kms: policy of an AWS managed key: %v", err)) // a template of this file is wrong
	}
	return k
}

// managedPolicy is the policy of an AWS managed key: whoever may use the service uses the key through
// it, and the account may look at the key.
func managedPolicy(account, region, service string) string {
	via := service
	if v := viaNames[service]; v != "" {
		via = v
	}
	return fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "auto-%[1]s-1",
  "Statement" : [ {
    "Sid" : "Allow access through %[2]s for all principals in the account that are authorized to use %[2]s",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant",
      "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:ViaService" : "%[3]s.%[4]s.amazonaws.com",
        "kms:CallerAccount" : "%[5]s"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::%[5]s:root"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`, service, managedServices[service].name, via, region, account)
}
