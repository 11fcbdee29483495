{{- define "periplus-spoke.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for every suffix that is added. */}}
{{- define "periplus-spoke.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "periplus-spoke.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "periplus-spoke.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of one component: (dict "root" $ "component" "serve"). Never a version: selectors cannot change. */}}
{{- define "periplus-spoke.selector" -}}
app.kubernetes.io/name: {{ include "periplus-spoke.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "periplus-spoke.labels" -}}
{{ include "periplus-spoke.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: periplus
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "periplus-spoke.registry" -}}
{{- default .Values.image.registry (.Values.global | default dict).imageRegistry -}}
{{- end -}}

{{- define "periplus-spoke.image" -}}
{{- $name := printf "%s/%s" (include "periplus-spoke.registry" . | trimSuffix "/") .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "periplus-spoke.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "periplus-spoke.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Of objects outside the release's namespace: another release may have the same name in another one. */}}
{{- define "periplus-spoke.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "periplus-spoke.fullname" .) -}}
{{- end -}}
