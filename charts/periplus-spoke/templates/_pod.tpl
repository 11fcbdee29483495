{{/* A configuration file: (dict "root" $ "port" <health port> "config" <settings>). JSON's texts, numbers and lists are
TOML's, too. */}}
{{- define "periplus-spoke.toml" -}}
hub = {{ .root.Values.hub.url | toJson }}
{{- if or .root.Values.hub.ca.pem .root.Values.hub.ca.configMap .root.Values.hub.ca.secret }}
hub_ca = {{ printf "/etc/periplus/hub-ca/%s" .root.Values.hub.ca.key | toJson }}
{{- end }}
join_token_file = "/etc/periplus/join-token/token"
state_dir = "/var/lib/periplus-spoke/state"
health_host = {{ .root.Values.listenAddress | toJson }}
health_port = {{ .port }}
{{- with .root.Values.clusterName }}
cluster_name = {{ . | toJson }}
{{- end }}
{{- range $name, $value := .config }}
{{ $name }} = {{ $value | toJson }}
{{- end }}
{{ end -}}

{{- define "periplus-spoke.agentToml" -}}
{{- include "periplus-spoke.toml" (dict "root" . "port" .Values.agent.healthPort "config" .Values.config) -}}
{{- end -}}

{{- define "periplus-spoke.nodeToml" -}}
{{- include "periplus-spoke.toml" (dict "root" . "port" .Values.nodeAgents.healthPort "config" (merge (dict) .Values.nodeAgents.config .Values.config)) -}}
{{- end -}}

{{- define "periplus-spoke.env" -}}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "periplus-spoke.pullSecrets" -}}
{{- $names := concat .Values.imagePullSecrets ((.Values.global | default dict).imagePullSecrets | default list) -}}
{{- with $names }}
imagePullSecrets:
{{- range . }}
  - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "periplus-spoke.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* A container alive is not yet one that has joined: it may wait for the hub or for a person. */}}
{{- define "periplus-spoke.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 3
  failureThreshold: 40
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/* What both kinds of agents mount: (dict "root" $ "config" <name of the ConfigMap>). */}}
{{- define "periplus-spoke.mounts" -}}
- name: config
  mountPath: /etc/periplus/config
  readOnly: true
- name: join-token
  mountPath: /etc/periplus/join-token
  readOnly: true
{{- if or .Values.hub.ca.pem .Values.hub.ca.configMap .Values.hub.ca.secret }}
- name: hub-ca
  mountPath: /etc/periplus/hub-ca
  readOnly: true
{{- end }}
{{- range .Values.secretMounts }}
- name: secret-{{ . }}
  mountPath: /etc/periplus/secrets/{{ . }}
  readOnly: true
{{- end }}
- name: state
  mountPath: /var/lib/periplus-spoke
- name: tmp
  mountPath: /tmp
{{- end -}}

{{/* The volumes for them: (dict "root" $ "token" <join token> "secret" <its Secret's name> "file" "agent.toml"). */}}
{{- define "periplus-spoke.volumes" -}}
{{- $root := .root -}}
{{- $ca := $root.Values.hub.ca -}}
- name: config
  configMap:
    name: {{ include "periplus-spoke.fullname" $root }}
    items:
      - {key: {{ .file }}, path: spoke.toml}
# Optional: once it has joined, nobody needs the token any more, and its Secret may be deleted.
- name: join-token
  secret:
    secretName: {{ default .secret .token.existingSecret }}
    optional: true
    defaultMode: 0440
    items:
      - {key: {{ ternary .token.key "token" (ne .token.existingSecret "") }}, path: token}
{{- if $ca.secret }}
- name: hub-ca
  secret:
    secretName: {{ $ca.secret }}
    defaultMode: 0440
    items:
      - {key: {{ $ca.key }}, path: {{ $ca.key }}}
{{- else if or $ca.configMap $ca.pem }}
- name: hub-ca
  configMap:
    name: {{ default (include "periplus-spoke.fullname" $root) $ca.configMap }}
    items:
      - {key: {{ $ca.key }}, path: {{ $ca.key }}}
{{- end }}
{{- range $root.Values.secretMounts }}
- name: secret-{{ . }}
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end -}}
