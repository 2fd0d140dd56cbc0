package plan

import "encoding/json"

// MarshalJSON names the variable, and the secret that its value comes from. A
// value that the site holds itself is left out: it may be a password all the same.
func (v EnvVar) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name   string  `json:"name"`
		Secret *Secret `json:"secret,omitempty"`
	}{v.Name, v.Value.Secret})
}

// MarshalJSON gives the file, or the secret, or for a text of the site only how
// many bytes it has.
func (s Stdin) MarshalJSON() ([]byte, error) {
	var form struct {
		File   string  `json:"file,omitempty"`
		Secret *Secret `json:"secret,omitempty"`
		Bytes  int     `json:"bytes,omitempty"`
	}
	form.File = s.File
	if s.Content != nil {
		form.Secret, form.Bytes = s.Content.Secret, len(s.Content.Text)
	}
	return json.Marshal(form)
}
