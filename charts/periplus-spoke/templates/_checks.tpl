{{/* What a schema cannot say in words that help: everything that is wrong, with the key and what to do. */}}
{{- define "periplus-spoke.check" -}}
{{- $found := list -}}
{{- $values := .Values -}}
{{- if not (include "periplus-spoke.registry" .) -}}
{{- $found = append $found "image.registry is empty: no images of Periplus are published yet; name the registry that you push yours to" -}}
{{- end -}}
{{- if not $values.hub.url -}}
{{- $found = append $found "hub.url is empty: give the address of the hub's listener for spokes, like https://hub.example.org:7946" -}}
{{- else if and (hasPrefix "http://" $values.hub.url) (not $values.config.allow_plain_http) -}}
{{- $found = append $found (printf "hub.url is %q, which would send the join token in clear: give its https:// address, or config.allow_plain_http=true when something else on the way encrypts" $values.hub.url) -}}
{{- end -}}
{{- $authorities := 0 -}}
{{- range list $values.hub.ca.pem $values.hub.ca.configMap $values.hub.ca.secret -}}
{{- if . -}}{{- $authorities = add $authorities 1 -}}{{- end -}}
{{- end -}}
{{- if gt (int $authorities) 1 -}}
{{- $found = append $found "of hub.ca.pem, hub.ca.configMap and hub.ca.secret more than one is given: give one" -}}
{{- end -}}
{{- if not (or $values.agent.enabled $values.nodeAgents.enabled) -}}
{{- $found = append $found "agent.enabled and nodeAgents.enabled are both false: nothing would run" -}}
{{- end -}}
{{- range $place := list (dict "on" $values.agent.enabled "key" "joinToken" "token" $values.joinToken "command" "periplus join-token create --cluster-name NAME") (dict "on" $values.nodeAgents.enabled "key" "nodeAgents.joinToken" "token" $values.nodeAgents.joinToken "command" "periplus join-token create --agents-of NAME") -}}
{{- $given := or $place.token.value $place.token.existingSecret -}}
{{- if and $place.on (not $given) -}}
{{- $found = append $found (printf "%s.value and %s.existingSecret are empty: make a token with '%s'" $place.key $place.key $place.command) -}}
{{- else if and (not $place.on) $given -}}
{{- $found = append $found (printf "%s is given, and nothing of this release would use it" $place.key) -}}
{{- else if and $place.token.value $place.token.existingSecret -}}
{{- $found = append $found (printf "%s.value and %s.existingSecret are both given: give one" $place.key $place.key) -}}
{{- end -}}
{{- end -}}
{{- if and (not $values.serviceAccount.create) (not $values.serviceAccount.name) $values.agent.enabled -}}
{{- $found = append $found "serviceAccount.create is false and serviceAccount.name is empty: name the one that has the rights" -}}
{{- end -}}
{{- if and $values.persistence.existingClaim (not $values.persistence.enabled) -}}
{{- $found = append $found "persistence.existingClaim is given and persistence.enabled is false: give one" -}}
{{- end -}}
{{- if $found -}}
{{- fail (printf "\n* %s\n" (join "\n* " $found)) -}}
{{- end -}}
{{- end -}}
