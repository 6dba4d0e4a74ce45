package kms

import (
	"slices"
	"strings"

	"loadkms/sandbox/iam"
)

// A TagResourceRequest adds tags to a key, named by id or ARN, or changes their values.
type TagResourceRequest struct {
	KeyId string `json:",omitempty"`
	Tags  []Tag  `json:",omitempty"`
}

// An UntagResourceRequest takes tags from a key, named by id or ARN.
type UntagResourceRequest struct {
	KeyId   string   `json:",omitempty"`
	TagKeys []string `json:",omitempty"` // those the key does not have are ignored
}

// A ListResourceTagsRequest asks for the next page of a key's tags.
type ListResourceTagsRequest struct {
	KeyId  string `json:",omitempty"`
	Limit  *int32 `json:",omitempty"` // 1 to 1000; default 50
	Marker string `json:",omitempty"` // NextMarker of the page before
}

// A ListResourceTagsResponse is one page of tags.
type ListResourceTagsResponse struct {
	Tags       []Tag
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

var (
	tagResource      = operation[TagResourceRequest, nothing]{"TagResource", (*Service).tagResource}
	untagResource    = operation[UntagResourceRequest, nothing]{"UntagResource", (*Service).untagResource}
	listResourceTags = operation[ListResourceTagsRequest, ListResourceTagsResponse]{
		"ListResourceTags", (*Service).listResourceTags}
)

// TagResource adds tags to a key and changes the values of those it has.
func (s *Service) TagResource(c iam.Caller, in *TagResourceRequest) error {
	return tagResource.do(s, c, in)
}

// UntagResource takes tags from a key.
func (s *Service) UntagResource(c iam.Caller, in *UntagResourceRequest) error {
	return untagResource.do(s, c, in)
}

// ListResourceTags lists a key's tags in the order of their keys. It works in every state.
func (s *Service) ListResourceTags(c iam.Caller, in *ListResourceTagsRequest) (*ListResourceTagsResponse, error) {
	return listResourceTags.call(s, c, in)
}

const maxTags = 50 // of one key

// checkTags refuses tags that no key may have.
func checkTags(tags []Tag) *Error {
	if len(tags) > maxTags {
		return refuse("TagException", "Too many tags")
	}
	v := &validation{}
	for i, t := range tags {
		switch n := len([]rune(t.TagKey)); {
		case n < 1:
			v.add("Value '' at 'tags.%d.member.tagKey' %s have length greater than or equal to 1", i+1, constraint)
		case n > 128:
			v.add("Value '%s' at 'tags.%d.member.tagKey' %s have length less than or equal to 128", t.TagKey, i+1, constraint)
		}
		if len([]rune(t.TagValue)) > 256 {
			v.add("Value '%s' at 'tags.%d.member.tagValue' %s have length less than or equal to 256", t.TagValue, i+1, constraint)
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, t := range tags {
		if reservedTag(t.TagKey) {
			return refuse("TagException", "Tags beginning with aws: are reserved")
		}
		if seen[t.TagKey] {
			return refuse("TagException", "Duplicate tag keys")
		}
		seen[t.TagKey] = true
	}
	return nil
}

// reservedTag reports whether only AWS can set or remove the tag.
func reservedTag(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }

// tagged returns the keys of tags, for the condition aws:TagKeys.
func tagged(tags []Tag) []string {
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = t.TagKey
	}
	return keys
}

// global gives policies the values of condition keys that all services have: the time, which is that
// of the sandbox, and those about tags, whose names match in either case.
func (q *question) global(name string) ([]string, bool) {
	find := func(tags []Tag, wanted string) ([]string, bool) {
		for _, t := range tags {
			if strings.EqualFold(t.TagKey, wanted) {
				return []string{t.TagValue}, true
			}
		}
		return nil, false
	}
	if wanted, ok := strings.CutPrefix(name, "aws:resourcetag/"); ok && q.key != nil {
		return find(q.key.tags, wanted)
	}
	if wanted, ok := strings.CutPrefix(name, "aws:requesttag/"); ok {
		return find(q.access.tags, wanted)
	}
	return q.access.tagKeys, name == "aws:tagkeys" && len(q.access.tagKeys) > 0
}

func (s *Service) tagResource(c *call, in *TagResourceRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	if in.Tags == nil {
		v.add("Value null at 'tags' %s not be null", constraint)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "TagResource", in.KeyId, notPending, access{tags: in.Tags, tagKeys: tagged(in.Tags)})
	if err != nil {
		return nil, err
	}
	all := slices.Clone(k.tags)
	for _, t := range in.Tags {
		if i := slices.IndexFunc(all, func(have Tag) bool { return have.TagKey == t.TagKey }); i >= 0 {
			all[i].TagValue = t.TagValue
			continue
		}
		all = append(all, t)
	}
	if len(all) > maxTags {
		return nil, refuse("TagException", "Too many tags")
	}
	k.tags = all
	return &nothing{}, nil
}

func (s *Service) untagResource(c *call, in *UntagResourceRequest) (*nothing, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	if in.TagKeys == nil {
		v.add("Value null at 'tagKeys' %s not be null", constraint)
	}
	for _, key := range in.TagKeys {
		if n := len([]rune(key)); n < 1 || n > 128 {
			v.add("Value '[%s]' at 'tagKeys' %s satisfy constraint: [Member must have length less than or equal to 128, "+
				"Member must have length greater than or equal to 1]", strings.Join(in.TagKeys, ", "), constraint)
			break
		}
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(in.TagKeys, reservedTag) {
		return nil, refuse("TagException", "Tags beginning with aws: are reserved")
	}
	s.mu.Lock()
	defer s.unlock()
	k, err := s.manage(c, "UntagResource", in.KeyId, notPending, access{tagKeys: in.TagKeys})
	if err != nil {
		return nil, err
	}
	var left []Tag
	for _, t := range k.tags {
		if !slices.Contains(in.TagKeys, t.TagKey) {
			left = append(left, t)
		}
	}
	k.tags = left
	return &nothing{}, nil
}

func (s *Service) listResourceTags(c *call, in *ListResourceTagsRequest) (*ListResourceTagsResponse, *Error) {
	v := c.validation()
	v.required("KeyId", in.KeyId, 2048)
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, err := s.manage(c, "ListResourceTags", in.KeyId, nil, access{})
	if err != nil {
		return nil, err
	}
	all := append([]Tag{}, k.tags...)
	page, next, err := paginate(all, func(t Tag) string { return t.TagKey }, in.Marker, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	return &ListResourceTagsResponse{Tags: page, NextMarker: next, Truncated: next != ""}, nil
}
