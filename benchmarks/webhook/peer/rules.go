package main

import (
	"fmt"
	"math"
	"reflect"
	"strings"
)

var skus = set(
	"gb200_sxm", "h200_sxm", "h100_sxm", "h100_pcie", "b200_sxm", "a100_sxm", "a100_pcie", "a30", "l40", "l40s", "l4",
	"v100_sxm", "v100_pcie", "t4", "mi200", "mi300")
var backends = set("auto", "sglang", "trtllm", "vllm")
var strategies = set("rapid", "thorough")
var optimizations = set("latency", "throughput")
var frozen = set("Profiling", "Ready", "Deploying", "Deployed")

var numbers = []string{
	"hardware.vramMb", "workload.concurrency", "workload.requestRate", "sla.ttft", "sla.itl", "sla.e2eLatency"}
var wholeNumbers = []string{"hardware.totalGpus", "hardware.numGpusPerNode", "workload.isl", "workload.osl"}

func set(names ...string) map[string]bool {
	found := make(map[string]bool, len(names))
	for _, name := range names {
		found[name] = true
	}
	return found
}

// get follows a dotted path through maps; nil where it ends early.
func get(from any, path string) any {
	for _, key := range strings.Split(path, ".") {
		inside, ok := from.(object)
		if !ok {
			return nil
		}
		from = inside[key]
	}
	return from
}

func text(from any, path string) string {
	value, _ := get(from, path).(string)
	return value
}

func violations(document object) []string {
	var found []string
	say := func(format string, values ...any) { found = append(found, fmt.Sprintf(format, values...)) }
	oneOf := func(path string, known map[string]bool) {
		if value := get(document, path); value != nil && !known[text(document, path)] {
			say("%s: Unsupported value: %v", path, value)
		}
	}
	name, override := text(document, "metadata.name"), text(document, "spec.overrides.dgd.metadata.name")
	switch {
	case name == "":
		say("metadata.name: Required value")
	case override == "" && len(name) > 41, len(name) > 55:
		say("metadata.name: Invalid value: %q: is too long", name)
	}
	if strings.TrimSpace(text(document, "spec.model")) == "" {
		say("spec.model: Required value")
	}
	oneOf("spec.backend", backends)
	oneOf("spec.searchStrategy", strategies)
	backend := text(document, "spec.backend")
	if text(document, "spec.searchStrategy") == "thorough" && (backend == "" || backend == "auto") {
		say("spec.searchStrategy: Invalid value: \"thorough\": is incompatible with spec.backend \"auto\"")
	}
	inside, mount := text(document, "spec.modelCache.pvcModelPath"), text(document, "spec.modelCache.pvcMountPath")
	if inside != "" && text(document, "spec.modelCache.pvcName") == "" {
		say("spec.modelCache.pvcName: Required value")
	}
	for _, part := range append(strings.Split(inside, "/"), strings.Split(mount, "/")...) {
		if part == ".." {
			say("spec.modelCache: Invalid value: must not contain \"..\"")
		}
	}
	if mount != "" && !strings.HasPrefix(mount, "/") {
		say("spec.modelCache.pvcMountPath: Invalid value: %q: must be an absolute path", mount)
	}
	oneOf("spec.hardware.gpuSku", skus)
	for i, path := range append(append([]string{}, numbers...), wholeNumbers...) {
		value := get(document, "spec."+path)
		number, ok := value.(float64)
		if value != nil && (!ok || number <= 0 || math.IsInf(number, 0) || i >= len(numbers) && number != math.Trunc(number)) {
			say("spec.%s: Invalid value: %v: must be greater than 0", path, value)
		}
	}
	if get(document, "spec.workload.requestRate") != nil && get(document, "spec.workload.concurrency") != nil {
		say("spec.workload.requestRate: Forbidden: cannot be combined with spec.workload.concurrency")
	}
	sla := get(document, "spec.sla")
	if get(sla, "e2eLatency") != nil && (get(sla, "ttft") != nil || get(sla, "itl") != nil) {
		say("spec.sla.e2eLatency: Forbidden: cannot be combined with spec.sla.ttft or spec.sla.itl")
	}
	oneOf("spec.sla.optimizationType", optimizations)
	oneOf("spec.overrides.dgd.apiVersion", map[string]bool{"nvidia.com/v1alpha1": true})
	oneOf("spec.overrides.dgd.kind", map[string]bool{"DynamoGraphDeployment": true})
	if len(override) > 45 {
		say("spec.overrides.dgd.metadata.name: Invalid value: %q: is too long", override)
	}
	return found
}

// normal leaves out what says nothing: empty strings, lists and maps, and nulls.
func normal(value any) any {
	switch value := value.(type) {
	case object:
		kept := make(object, len(value))
		for key, item := range value {
			if item = normal(item); item != nil {
				kept[key] = item
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case []any:
		if len(value) == 0 {
			return nil
		}
		kept := make([]any, len(value))
		for i, item := range value {
			kept[i] = normal(item)
		}
		return kept
	case string:
		if value == "" {
			return nil
		}
	}
	return value
}

func validate(asked *request) *response {
	answer := &response{UID: asked.UID, Allowed: true}
	if asked.Object == nil || get(asked.Object, "metadata.deletionTimestamp") != nil {
		return answer
	}
	found := violations(asked.Object)
	if asked.OldObject != nil {
		if reflect.DeepEqual(normal(asked.Object["spec"]), normal(asked.OldObject["spec"])) {
			return answer
		}
		standing := set(violations(asked.OldObject)...)
		kept := found[:0]
		for _, one := range found {
			if !standing[one] {
				kept = append(kept, one)
			}
		}
		found = kept
		if phase := text(asked.OldObject, "status.phase"); frozen[phase] {
			found = append(found, "spec: Forbidden: updates are forbidden while the resource is in phase "+phase)
		}
	}
	if len(found) > 0 {
		answer.Allowed = false
		answer.Status = &status{"Failure", "Invalid", 422, strings.Join(found, "\n")}
	}
	return answer
}
