package awskms

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/qldb"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// Options says which AWS. The zero value leaves everything to the SDK's default chain: environment,
// shared configuration, and the roles of the machine.
type Options struct {
	Region string // "" means the default chain's
	// Endpoint is a base URL that speaks all the AWS protocols, such as a sandbox's; "" means AWS
	// itself, or what AWS_ENDPOINT_URL and its kin say. Requests to it are signed with the same
	// credentials as those to AWS would be: naming an endpoint is trusting it. (A signature does not
	// reveal the secret key, but a session token is sent as it is.) If it is on this machine and
	// there are no credentials, made-up ones are used, which a sandbox accepts.
	Endpoint string
	Stack    string // CloudFormation stack whose outputs faults may name; "" means none
	Ledger   string // QLDB ledger that every target is to be a witness of; "" means none
	// AccessKey and SecretKey are for the embedded sandbox only: if set, nothing else is consulted,
	// neither environment nor files, and Endpoint must be set, too.
	AccessKey, SecretKey string
}

// How long we wait for AWS.
const (
	// attemptTimeout is for one HTTP exchange. Control-plane calls take well under a second; the
	// settle time of a restore has to be longer than this.
	attemptTimeout = 10 * time.Second
	// callTimeout is for one call with all its retries: three attempts and the pauses between them.
	callTimeout = 35 * time.Second
	// retryBackoff is the longest pause between two attempts. The SDK's own, 20s, would use up a
	// restore's budget in a few calls; whoever needs more patience has it in the bracket.
	retryBackoff = 500 * time.Millisecond
	// idleTimeout closes connections between two faults.
	idleTimeout = 5 * time.Second
)

// A Cloud is one account in one Region. It is safe for use by many goroutines.
type Cloud struct {
	kms  *kms.Client
	qldb *qldb.Client

	region, account, caller string
	endpoints               endpoints
	stack, ledger           string
	outputs                 map[string]string
}

// endpoints are the base URLs of the services; "" means AWS itself. A target keeps them, so that its
// restore goes where its break went, whatever the environment says by then.
type endpoints struct {
	KMS  string `json:"kms,omitempty"`
	QLDB string `json:"qldb,omitempty"`
	STS  string `json:"sts,omitempty"`
}

// New connects to the cloud that o describes, and asks it who we are, for the outputs of the stack and
// for the ledger. It changes nothing. It blocks for a few round trips, or up to half a minute if
// nobody answers. Errors are one sentence that says what to do, where we know it.
func New(ctx context.Context, o Options) (*Cloud, error) {
	var ends *endpoints
	if o.Endpoint != "" {
		if err := checkEndpoint(o.Endpoint); err != nil {
			return nil, err
		}
		ends = &endpoints{o.Endpoint, o.Endpoint, o.Endpoint}
	}
	c, cfg, err := connect(ctx, o, ends)
	if err != nil {
		return nil, err
	}
	if o.Stack != "" {
		if err := c.readStack(ctx, cfg, o); err != nil {
			return nil, err
		}
	}
	if o.Ledger != "" {
		if _, err := c.describeLedger(ctx, o.Ledger); err != nil {
			return nil, err
		}
		c.ledger = o.Ledger
	}
	return c, nil
}

// connect makes the clients and learns who we are. If ends is nil, the default chain decides about the
// endpoints.
func connect(ctx context.Context, o Options, ends *endpoints) (*Cloud, aws.Config, error) {
	where := os.Getenv("AWS_ENDPOINT_URL")
	if ends != nil {
		where = ends.KMS
	}
	cfg, err := configure(ctx, o, onLoopback(where))
	if err != nil {
		return nil, cfg, err
	}
	c := &Cloud{region: cfg.Region, outputs: map[string]string{}}
	c.kms = kms.NewFromConfig(cfg, func(k *kms.Options) {
		if ends != nil {
			k.BaseEndpoint = base(ends.KMS)
		}
	})
	c.qldb = qldb.NewFromConfig(cfg, func(q *qldb.Options) {
		if ends != nil {
			q.BaseEndpoint = base(ends.QLDB)
		}
	})
	id := sts.NewFromConfig(cfg, func(s *sts.Options) {
		if ends != nil {
			s.BaseEndpoint = base(ends.STS)
		}
	})
	c.endpoints = endpoints{aws.ToString(c.kms.Options().BaseEndpoint), aws.ToString(c.qldb.Options().BaseEndpoint),
		aws.ToString(id.Options().BaseEndpoint)}
	for _, e := range []string{c.endpoints.KMS, c.endpoints.QLDB, c.endpoints.STS} {
		if e != "" {
			if err := checkEndpoint(e); err != nil {
				return nil, cfg, err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	who, err := id.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, cfg, c.explain("ask AWS who we are", c.endpoints.STS, err)
	}
	c.account, c.caller = aws.ToString(who.Account), aws.ToString(who.Arn)
	if c.account == "" {
		return nil, cfg, fmt.Errorf("ask AWS who we are: %s answered without an account", c.place(c.endpoints.STS))
	}
	return c, cfg, nil
}

// configure makes the SDK's configuration and sees to it that there is a Region and a credential,
// because the SDK's own complaints about those come late and are long. Local says that AWS is on this
// machine.
func configure(ctx context.Context, o Options, local bool) (aws.Config, error) {
	client := awshttp.NewBuildableClient().WithTimeout(attemptTimeout).
		WithTransportOptions(func(tr *http.Transport) { tr.IdleConnTimeout = idleTimeout })
	retryer := func() aws.Retryer {
		return retry.NewStandard(func(s *retry.StandardOptions) {
			s.MaxBackoff = retryBackoff
			// The quota of retries is for clients that would otherwise hammer AWS. A restore backs
			// off on its own, and must not fail because earlier calls have used up the quota.
			s.RateLimiter = ratelimit.None
		})
	}
	if o.AccessKey != "" {
		if o.Endpoint == "" || o.Region == "" {
			return aws.Config{}, errors.New("an access key of its own needs an endpoint and a region")
		}
		return aws.Config{Region: o.Region, HTTPClient: client, Retryer: retryer, Logger: logging.Nop{},
			Credentials: credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, "")}, nil
	}
	// What the SDK has to say it returns as an error; its log would go to our standard error.
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithRetryer(retryer), config.WithLogger(logging.Nop{})}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if local {
		// A machine's role has no say in its own sandbox, and asking for it takes seconds.
		load = append(load, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if missing := (config.SharedConfigProfileNotExistError{}); errors.As(err, &missing) {
		return cfg, fmt.Errorf("no AWS profile %q: see AWS_PROFILE and ~/.aws/config", missing.Profile)
	}
	if err != nil {
		return cfg, fmt.Errorf("read the AWS configuration: %w", innermost(err))
	}
	if cfg.Region == "" {
		return cfg, errors.New("no AWS region: set config.aws.region in the script, or AWS_REGION")
	}
	ask, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = cfg.Credentials.Retrieve(ask)
	switch {
	case err == nil:
	case local:
		cfg.Credentials = credentials.NewStaticCredentialsProvider("test", "test", "")
	case strings.Contains(strings.ToLower(err.Error()), "sso"):
		return cfg, &callError{"no AWS credentials: the session of the profile has ended; log in again with aws sso login", err}
	default:
		return cfg, &callError{"no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", err}
	}
	return cfg, nil
}

// readStack learns the outputs of the stack.
func (c *Cloud) readStack(ctx context.Context, cfg aws.Config, o Options) error {
	client := cloudformation.NewFromConfig(cfg, func(f *cloudformation.Options) {
		if o.Endpoint != "" {
			f.BaseEndpoint = &o.Endpoint
		}
	})
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &o.Stack})
	if code, message := refusal(err); code == "ValidationError" && strings.Contains(message, "does not exist") {
		return &callError{fmt.Sprintf("no CloudFormation stack %q in %s of account %s", o.Stack, c.region, c.account), err}
	}
	if err != nil {
		return c.explain("describe stack "+o.Stack, aws.ToString(client.Options().BaseEndpoint), err)
	}
	c.stack = o.Stack
	for _, s := range out.Stacks {
		for _, o := range s.Outputs {
			c.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	return nil
}

// Account returns the 12 digits of the account we are in.
func (c *Cloud) Account() string { return c.account }

// Region returns the Region's name, such as eu-west-2.
func (c *Cloud) Region() string { return c.region }

// Endpoint returns the base URL that calls of KMS go to; "" means AWS itself.
func (c *Cloud) Endpoint() string { return c.endpoints.KMS }

// KMSURL returns the base URL that calls of KMS go to, AWS's own included; "" if the SDK does not know
// one in the Region.
func (c *Cloud) KMSURL() string {
	if c.endpoints.KMS != "" {
		return c.endpoints.KMS
	}
	e, err := kms.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), kms.EndpointParameters{Region: &c.region,
		UseFIPS: aws.Bool(false), UseDualStack: aws.Bool(false)})
	if err != nil {
		return ""
	}
	return e.URI.String()
}

// Local reports whether every call goes to this machine, where a sandbox is: no real key can be
// changed.
func (c *Cloud) Local() bool {
	return onLoopback(c.endpoints.KMS) && onLoopback(c.endpoints.QLDB) && onLoopback(c.endpoints.STS)
}

// Caller returns the ARN of who we are.
func (c *Cloud) Caller() string { return c.caller }

// Outputs returns the stack's outputs by name; empty if Options named no stack. The map is the
// caller's own.
func (c *Cloud) Outputs() map[string]string { return maps.Clone(c.outputs) }

// base returns what the SDK takes for an endpoint.
func base(endpoint string) *string {
	if endpoint == "" {
		return nil
	}
	return &endpoint
}

func checkEndpoint(endpoint string) error {
	if at := strings.LastIndexByte(endpoint, '@'); at >= 0 {
		// They would end up in the journal and in the command that restores by hand.
		return fmt.Errorf("AWS endpoint …%s must not hold a user or a password", endpoint[at:])
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("AWS endpoint %q is not a URL such as http://127.0.0.1:4566", endpoint)
	}
	return nil
}

func onLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
