{{- define "periplus-hub.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for every suffix that is added. */}}
{{- define "periplus-hub.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "periplus-hub.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "periplus-hub.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of one component: (dict "root" $ "component" "serve"). Never a version: selectors cannot change. */}}
{{- define "periplus-hub.selector" -}}
app.kubernetes.io/name: {{ include "periplus-hub.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "periplus-hub.labels" -}}
{{ include "periplus-hub.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: periplus
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "periplus-hub.registry" -}}
{{- default .Values.image.registry (.Values.global | default dict).imageRegistry -}}
{{- end -}}

{{- define "periplus-hub.image" -}}
{{- $has := ternary "periplus-hub" "periplus-hub-embedded" (and (eq (include "periplus-hub.isReplicated" .) "yes") (not .Values.backup.enabled)) -}}
{{- $repository := default $has .Values.image.repository -}}
{{- $name := printf "%s/%s" (include "periplus-hub.registry" . | trimSuffix "/") $repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* "yes" when nothing of the hub's is on a volume of its own: only then can it have several pods. */}}
{{- define "periplus-hub.isReplicated" -}}
{{- if and .Values.database.existingSecret .Values.flowStore.existingSecret -}}yes{{- end -}}
{{- end -}}

{{- define "periplus-hub.backupClaim" -}}
{{- default (printf "%s-backups" (include "periplus-hub.fullname" .)) .Values.backup.volume.existingClaim -}}
{{- end -}}

{{- define "periplus-hub.tlsSecret" -}}
{{- if eq .Values.tls.mode "secret" -}}
{{- .Values.tls.secretName -}}
{{- else if eq .Values.tls.mode "certManager" -}}
{{- include "periplus-hub.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{- define "periplus-hub.scheme" -}}
{{- if eq .Values.tls.mode "proxy" -}}http{{- else -}}https{{- end -}}
{{- end -}}
