// Command peer is an admission webhook in plain net/http that does what this project's webhook does with the two
// reviews of the benchmark: the rules of a request, and what a deployment made for it lacks.
//
// Usage: peer PORT CERTIFICATE KEY
package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

const maxBody = 7 << 20

type object = map[string]any

type request struct {
	UID       string `json:"uid"`
	Operation string `json:"operation"`
	Namespace string `json:"namespace"`
	Object    object `json:"object"`
	OldObject object `json:"oldObject"`
}

type status struct {
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type response struct {
	UID       string  `json:"uid"`
	Allowed   bool    `json:"allowed"`
	Status    *status `json:"status,omitempty"`
	PatchType string  `json:"patchType,omitempty"`
	Patch     []byte  `json:"patch,omitempty"`
}

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

func handler(answer func(*request) *response) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var asked review
		if err == nil {
			err = json.Unmarshal(body, &asked)
		}
		if err != nil || asked.Request == nil || asked.Request.UID == "" {
			http.Error(w, "not an AdmissionReview", http.StatusBadRequest)
			return
		}
		answered, err := json.Marshal(review{APIVersion: asked.APIVersion, Kind: asked.Kind, Response: answer(asked.Request)})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answered)
	}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: peer PORT CERTIFICATE KEY")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/validate/dynamographdeploymentrequests", handler(validate))
	mux.HandleFunc("/mutate/dynamographdeployments", handler(mutate))
	// HTTP/1.1 alone, as API servers ask for.
	server := &http.Server{
		Addr:         "127.0.0.1:" + os.Args[1],
		Handler:      mux,
		TLSConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
		ErrorLog:     log.New(io.Discard, "", 0), // clients that only look whether the port is open
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	log.Fatal(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}
