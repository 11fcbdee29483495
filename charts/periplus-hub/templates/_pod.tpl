{{/* The hub's configuration file. JSON's texts, numbers and lists are TOML's, too. */}}
{{- define "periplus-hub.toml" -}}
data_dir = "/var/lib/periplus/data"
spokes_host = {{ .Values.listenAddress | toJson }}
spokes_port = {{ .Values.ports.spokes }}
api_host = {{ .Values.listenAddress | toJson }}
api_port = {{ .Values.ports.api }}
metrics_host = {{ .Values.listenAddress | toJson }}
metrics_port = {{ .Values.ports.metrics }}
work_metrics_port = {{ .Values.ports.workMetrics }}
{{- if eq .Values.tls.mode "proxy" }}
allow_plain_http = true
{{- else }}
tls_certificate = "/etc/periplus/tls/tls.crt"
tls_key = "/etc/periplus/tls/tls.key"
{{- end }}
{{- if not (include "periplus-hub.isReplicated" .) }}
all_in_one = true
{{- end }}
{{- with .Values.flowStore.cluster }}
flow_store_cluster = {{ . | toJson }}
{{- end }}
{{- with .Values.backup }}
{{- if .enabled }}
backup_folder = "/var/lib/periplus-backups"
backup_schedule = {{ .schedule | toJson }}
backup_keep = {{ .keep }}
backup_flows = {{ .flows }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.config }}
{{ $name }} = {{ $value | toJson }}
{{- end }}
{{ end -}}

{{- define "periplus-hub.stores" -}}
{{- with .Values.database.existingSecret }}
- name: PERIPLUS_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.database.urlKey }}
{{- end }}
{{- with .Values.flowStore.existingSecret }}
- name: PERIPLUS_FLOW_STORE_URL
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.flowStore.urlKey }}
{{- end }}
{{- end -}}

{{/* Only of pods that take backups: that role sees the rows of all tenants. */}}
{{- define "periplus-hub.backupStores" -}}
{{- with .Values.backup.databaseUrlKey }}
- name: PERIPLUS_BACKUP_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.database.existingSecret }}
      key: {{ . }}
{{- end }}
{{- with .Values.backup.flowPlaceKey }}
- name: PERIPLUS_FLOW_STORE_BACKUP
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.flowStore.existingSecret }}
      key: {{ . }}
{{- end }}
{{- end -}}

{{- define "periplus-hub.env" -}}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* As the PodSecurity level `restricted` asks, for a pod. */}}
{{- define "periplus-hub.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAs.user }}
runAsUser: {{ int64 . }}
{{- end }}
{{- with .Values.runAs.group }}
runAsGroup: {{ int64 . }}
{{- end }}
{{- with .Values.runAs.fsGroup }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The same for its container. */}}
{{- define "periplus-hub.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "periplus-hub.pullSecrets" -}}
{{- $names := concat .Values.imagePullSecrets ((.Values.global | default dict).imagePullSecrets | default list) -}}
{{- with $names }}
imagePullSecrets:
{{- range . }}
  - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "periplus-hub.scheduling" -}}
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

{{/* A pod template: (dict "root" $ "component" "serve" "part" .Values.serve "metrics" <port> "spread" true). */}}
{{- define "periplus-hub.pod" -}}
{{- $root := .root -}}
{{- $serves := eq .component "serve" -}}
{{- $works := or (eq .component "work") (not (include "periplus-hub.isReplicated" $root)) -}}
{{- $backsUp := and $root.Values.backup.enabled $works -}}
metadata:
  labels:
    {{- include "periplus-hub.labels" (dict "root" $root "component" .component) | nindent 4 }}
    {{- with .part.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "periplus-hub.toml" $root | sha256sum }}
    {{- with .part.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "periplus-hub.fullname" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with include "periplus-hub.pullSecrets" $root }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  securityContext:
    {{- include "periplus-hub.podSecurity" $root | nindent 4 }}
  # The pause before it stops (5 s), then requests in progress (20 s), then what is written.
  terminationGracePeriodSeconds: 60
  {{- with include "periplus-hub.scheduling" .part }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  {{- if .spread }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "periplus-hub.selector" (dict "root" $root "component" $.component) | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  containers:
    - name: hub
      image: {{ include "periplus-hub.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command: [periplus]
      args: [hub, {{ .component }}, --config, /etc/periplus/config/hub.toml]
      {{- with print (include "periplus-hub.stores" $root) (ternary (include "periplus-hub.backupStores" $root) "" $backsUp) (include "periplus-hub.env" $root) }}
      env:
        {{- . | trim | nindent 8 }}
      {{- end }}
      ports:
        {{- if $serves }}
        - name: spokes
          containerPort: {{ $root.Values.ports.spokes }}
        - name: api
          containerPort: {{ $root.Values.ports.api }}
        {{- end }}
        - name: metrics
          containerPort: {{ .metrics }}
      # The embedded PostgreSQL is made at the first start; a migration may take its time.
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 5
        failureThreshold: 120
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 15
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      lifecycle:
        preStop:
          sleep: {seconds: 5}
      resources:
        {{- toYaml .part.resources | nindent 8 }}
      securityContext:
        {{- include "periplus-hub.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/periplus/config
          readOnly: true
        {{- if and $serves (include "periplus-hub.tlsSecret" $root) }}
        - name: tls
          mountPath: /etc/periplus/tls
          readOnly: true
        {{- end }}
        {{- range $root.Values.secretMounts }}
        - name: secret-{{ . }}
          mountPath: /etc/periplus/secrets/{{ . }}
          readOnly: true
        {{- end }}
        {{- if not (include "periplus-hub.isReplicated" $root) }}
        - name: data
          mountPath: /var/lib/periplus
        {{- end }}
        {{- if $backsUp }}
        - name: backups
          mountPath: /var/lib/periplus-backups
        {{- end }}
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: config
      configMap:
        name: {{ include "periplus-hub.fullname" $root }}
    {{- if and $serves (include "periplus-hub.tlsSecret" $root) }}
    - name: tls
      secret:
        secretName: {{ include "periplus-hub.tlsSecret" $root }}
        defaultMode: 0440
    {{- end }}
    {{- range $root.Values.secretMounts }}
    - name: secret-{{ . }}
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with $root.Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ . }}
    {{- end }}
    {{- if $backsUp }}
    - name: backups
      persistentVolumeClaim:
        claimName: {{ include "periplus-hub.backupClaim" $root }}
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 1Gi
{{- end -}}
