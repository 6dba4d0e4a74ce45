package scenarios

import (
	"encoding/json"
	"maps"
	"strings"
)

// pages are the sections of the language, in the order they are documented.
var pages = []page{&scriptSection, &configSection, &awsSection, &sandboxSection, &phaseSection,
	&httpSection, &defaultsSection,
	&tlsSection, &payloadSection, &csvSection,
	&sigV4Section, &tracingSection, &pausesSection, &enginesSection,
	&pluginsSection, &expectPluginSection, &endpointsSection, &fakeDataSection, &apdexSection,
	&classifySection, &ensureSection, &conditionSection, &scenarioSection, &beforeSection, &afterSection,
	&stepSection, &loopSection, &parallelSection, &requestSection, &partSection, &authSection, &captureSection, &matchSection, &expectSection,
	&faultSection, &atSection, &expectationsSection, &expectationSection}

// anchor is a section's name as part of an address.
func anchor(name string) string { return strings.ReplaceAll(name, " ", "-") }

// Schema returns the JSON Schema (draft 2020-12) of the language, for editors. It is made from the
// tables Parse reads by. A script that breaks it has a problem; Parse finds more than a schema can.
func Schema() []byte {
	defs := map[string]any{}
	for _, s := range pages {
		defs[anchor(s.title())] = sectionSchema(s)
	}
	b, err := json.MarshalIndent(map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "loadkms script",
		"description": "Load, faults and expectations for an API whose data is encrypted under a KMS key.",
		"$ref":        "#/$defs/" + anchor(scriptSection.name),
		"$defs":       defs,
	}, "", "  ")
	if err != nil {
		panic(err) // maps, lists and texts always marshal
	}
	return append(b, '\n')
}

func sectionSchema(s page) map[string]any {
	properties, need := map[string]any{}, []string{}
	for _, r := range s.rows() {
		property := map[string]any{"description": strings.ReplaceAll(r.doc, "`", "")}
		maps.Copy(property, r.shape.schema)
		properties[r.name] = property
		if r.need {
			need = append(need, r.name)
		}
	}
	out := map[string]any{
		"type":                 "object",
		"description":          strings.ReplaceAll(s.text(), "`", ""),
		"properties":           properties,
		"additionalProperties": false,
	}
	if len(need) > 0 {
		out["required"] = need
	}
	switch s.title() {
	case stepSection.name:
		// A list of steps stands for them, but not one of lists.
		out["minProperties"], out["maxProperties"] = 1, 1
		one := []any{out, to(loopSection.name).schema, to(parallelSection.name).schema}
		return map[string]any{"anyOf": append(one, map[string]any{"type": "array", "items": map[string]any{"anyOf": one}})}
	case expectSection.name:
		return map[string]any{"anyOf": []any{out, map[string]any{"type": "array", "items": out}}}
	}
	return out
}
