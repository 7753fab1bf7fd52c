package main

import (
	"encoding/json"
	"sort"
	"strings"
)

const claim, mountPoint = "model-cache", "/models"

var tolerations = []any{
	object{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
	object{"key": "team", "operator": "Equal", "value": "llm", "effect": "NoSchedule"},
}
var token = object{"name": "HF_TOKEN", "valueFrom": object{"secretKeyRef": object{
	"name": "hf-token-secret", "key": "HF_TOKEN", "optional": true}}}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func list(from any, path string) []any {
	found, _ := get(from, path).([]any)
	return found
}

func named(items []any, key, name string) bool {
	for _, item := range items {
		if text(item, key) == name {
			return true
		}
	}
	return false
}

func tolerated(items []any, wanted object) bool {
	for _, item := range items {
		effect, operator, key := text(item, "effect"), text(item, "operator"), text(item, "key")
		if effect != "" && effect != wanted["effect"] || key != "" && key != wanted["key"] {
			continue
		}
		if operator == "Exists" || key != "" && wanted["operator"] != "Exists" && text(item, "value") == wanted["value"] {
			return true
		}
	}
	return false
}

// appended adds items to a list at path below document: one by one, or the list whole where there is none.
func appended(ops []operation, document any, path []string, items []any) []operation {
	if len(items) == 0 {
		return ops
	}
	at := ""
	for i, key := range path {
		inside, _ := document.(object)
		at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
		if next, there := inside[key]; there {
			document = next
			continue
		}
		var value any = items
		for j := len(path) - 1; j > i; j-- {
			value = object{path[j]: value}
		}
		return append(ops, operation{"add", at, value})
	}
	for _, item := range items {
		ops = append(ops, operation{"add", at + "/-", item})
	}
	return ops
}

func mutate(asked *request) *response {
	answer := &response{UID: asked.UID, Allowed: true}
	dgd := asked.Object
	labels, _ := get(dgd, "metadata.labels").(object)
	if labels["dgdr.nvidia.com/name"] != "deepseek-r1" || get(dgd, "metadata.deletionTimestamp") != nil {
		return answer
	}
	services, _ := get(dgd, "spec.services").(object)
	names := make([]string, 0, len(services))
	for name := range services {
		names = append(names, name)
	}
	sort.Strings(names)
	var ops []operation
	mounted := false
	for _, name := range names {
		service := services[name]
		path := []string{"spec", "services", name}
		under := func(keys ...string) []string { return append(append([]string{}, path...), keys...) }
		kind := strings.ToLower(text(service, "componentType"))
		worker := kind == "worker" || kind == "prefill" || kind == "decode"
		if get(service, "resources.limits.gpu") != nil || get(service, "resources.requests.gpu") != nil {
			var lacking []any
			for _, one := range tolerations {
				if !tolerated(list(service, "extraPodSpec.tolerations"), one.(object)) {
					lacking = append(lacking, one)
				}
			}
			ops = appended(ops, dgd, under("extraPodSpec", "tolerations"), lacking)
		}
		envs, own := list(service, "envs"), list(service, "extraPodSpec.mainContainer.env")
		var missing []any
		if worker && get(service, "envFromSecret") == nil && !named(envs, "name", "HF_TOKEN") && !named(own, "name", "HF_TOKEN") {
			missing = append(missing, token)
		}
		if worker || kind == "frontend" {
			mounts := list(service, "volumeMounts")
			if !named(mounts, "name", claim) && !named(mounts, "mountPoint", mountPoint) {
				mounted = true
				ops = appended(ops, dgd, under("volumeMounts"), []any{object{"name": claim, "mountPoint": mountPoint}})
			}
			if !named(envs, "name", "HF_HOME") && !named(own, "name", "HF_HOME") {
				missing = append(missing, object{"name": "HF_HOME", "value": mountPoint})
			}
		}
		ops = appended(ops, dgd, under("envs"), missing)
	}
	if mounted && !named(list(dgd, "spec.pvcs"), "name", claim) {
		ops = appended(ops, dgd, []string{"spec", "pvcs"}, []any{object{"name": claim, "create": false}})
	}
	if len(ops) > 0 {
		answer.PatchType = "JSONPatch"
		answer.Patch, _ = json.Marshal(ops)
	}
	return answer
}
