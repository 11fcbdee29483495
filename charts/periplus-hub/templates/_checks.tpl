{{/* What a schema cannot say in words that help: everything that is wrong, with the key and what to do. */}}
{{- define "periplus-hub.check" -}}
{{- $found := list -}}
{{- $values := .Values -}}
{{- $replicated := include "periplus-hub.isReplicated" . -}}
{{- $embedded := "a hub with an embedded store is one process: leave it, or give database.existingSecret and flowStore.existingSecret" -}}
{{- if not (include "periplus-hub.registry" .) -}}
{{- $found = append $found "image.registry is empty: no images of Periplus are published yet; name the registry that you push yours to" -}}
{{- end -}}
{{- if eq $values.tls.mode "" -}}
{{- $found = append $found "tls.mode is empty: say secret (with tls.secretName), certManager (with tls.issuer.name), or proxy when something in front of the hub encrypts" -}}
{{- else if and (eq $values.tls.mode "secret") (not $values.tls.secretName) -}}
{{- $found = append $found "tls.mode is secret and tls.secretName is empty: name a Secret of type kubernetes.io/tls" -}}
{{- else if and (eq $values.tls.mode "certManager") (not $values.tls.issuer.name) -}}
{{- $found = append $found "tls.mode is certManager and tls.issuer.name is empty: name an Issuer, or a ClusterIssuer and tls.issuer.kind" -}}
{{- end -}}
{{- if and (ne $values.tls.mode "secret") $values.tls.secretName -}}
{{- $found = append $found (printf "tls.secretName is %q, which only tls.mode=secret uses: tls.mode is %q" $values.tls.secretName $values.tls.mode) -}}
{{- end -}}
{{- if and $values.tls.dnsNames (ne $values.tls.mode "certManager") -}}
{{- $found = append $found "tls.dnsNames is only for tls.mode=certManager: other certificates have their names already" -}}
{{- end -}}
{{- if not $replicated -}}
{{- if gt (int ($values.serve.replicas | default 1)) 1 -}}
{{- $found = append $found (printf "serve.replicas is %d: %s" (int $values.serve.replicas) $embedded) -}}
{{- end -}}
{{- if $values.serve.autoscaling.enabled -}}
{{- $found = append $found (printf "serve.autoscaling.enabled is true: %s" $embedded) -}}
{{- end -}}
{{- else if $values.persistence.existingClaim -}}
{{- $found = append $found "persistence.existingClaim is given, and nothing would be on it: both stores are your own" -}}
{{- end -}}
{{- if and $values.serve.autoscaling.enabled $values.serve.replicas -}}
{{- $found = append $found "serve.replicas and serve.autoscaling.enabled are both given: the autoscaler sets the number" -}}
{{- end -}}
{{- if gt (int $values.serve.autoscaling.minReplicas) (int $values.serve.autoscaling.maxReplicas) -}}
{{- $found = append $found (printf "serve.autoscaling.minReplicas is %d, more than maxReplicas, %d" (int $values.serve.autoscaling.minReplicas) (int $values.serve.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and $values.database.migrationUrlKey (not $values.database.existingSecret) -}}
{{- $found = append $found "database.migrationUrlKey is given without database.existingSecret: the embedded PostgreSQL migrates itself" -}}
{{- end -}}
{{- if and $values.flowStore.cluster (not $values.flowStore.existingSecret) -}}
{{- $found = append $found "flowStore.cluster is given without flowStore.existingSecret: the engine in the hub has no cluster" -}}
{{- end -}}
{{- $backup := $values.backup -}}
{{- if $backup.enabled -}}
{{- if and $values.database.existingSecret (not $backup.databaseUrlKey) -}}
{{- $found = append $found "backup.enabled is true and backup.databaseUrlKey is empty: the hub's own role does not see all rows; name the key of a URL with one that does, in database.existingSecret" -}}
{{- end -}}
{{- if and $backup.flows $values.flowStore.cluster -}}
{{- $found = append $found "backup.flows is true and flowStore.cluster is given: say backup.flows=false, and back the cluster of ClickHouse servers up by its own BACKUP" -}}
{{- else if and $backup.flows $values.flowStore.existingSecret (not $backup.flowPlaceKey) -}}
{{- $found = append $found "backup.flowPlaceKey is empty: name the key in flowStore.existingSecret that says where your ClickHouse puts its part of a backup, or say backup.flows=false" -}}
{{- end -}}
{{- if and $replicated (gt (int $values.work.replicas) 1) (ne $backup.volume.accessMode "ReadWriteMany") -}}
{{- $found = append $found (printf "work.replicas is %d, and a volume of backups that is %s is for one pod: say backup.volume.accessMode=ReadWriteMany, or work.replicas=1" (int $values.work.replicas) $backup.volume.accessMode) -}}
{{- end -}}
{{- end -}}
{{- if and $backup.databaseUrlKey (not $values.database.existingSecret) -}}
{{- $found = append $found "backup.databaseUrlKey is given without database.existingSecret: of the embedded PostgreSQL the hub sees all rows" -}}
{{- end -}}
{{- if and $backup.flowPlaceKey (not $values.flowStore.existingSecret) -}}
{{- $found = append $found "backup.flowPlaceKey is given without flowStore.existingSecret: flows of the engine in the hub are in the backup itself" -}}
{{- end -}}
{{- range $name, $ingress := $values.ingress -}}
{{- if and $ingress.enabled (not $ingress.host) -}}
{{- $found = append $found (printf "ingress.%s.enabled is true and ingress.%s.host is empty: say by which name it is reached" $name $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $route := $values.routes -}}
{{- if $route.enabled -}}
{{- if not $route.host -}}
{{- $found = append $found (printf "routes.%s.enabled is true and routes.%s.host is empty: say by which name it is reached" $name $name) -}}
{{- end -}}
{{- if not $route.parentRefs -}}
{{- $found = append $found (printf "routes.%s.enabled is true and routes.%s.parentRefs is empty: name the Gateway" $name $name) -}}
{{- end -}}
{{- if and (eq $route.kind "HTTPRoute") (ne $values.tls.mode "proxy") -}}
{{- $found = append $found (printf "routes.%s.kind is HTTPRoute, whose gateway speaks plain HTTP to the hub, and tls.mode is %q: say tls.mode=proxy, or kind TLSRoute" $name $values.tls.mode) -}}
{{- end -}}
{{- if and (eq $route.kind "TLSRoute") (eq $values.tls.mode "proxy") -}}
{{- $found = append $found (printf "routes.%s.kind is TLSRoute, which passes TLS on to the hub, and tls.mode is proxy: say tls.mode=secret or certManager, or kind HTTPRoute" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.routes.spokes.enabled $values.routes.api.enabled (eq $values.routes.spokes.host $values.routes.api.host) -}}
{{- $found = append $found (printf "routes.spokes.host and routes.api.host are both %q: spokes need a host of their own" $values.routes.api.host) -}}
{{- end -}}
{{- if and $values.ingress.spokes.enabled $values.ingress.api.enabled (eq $values.ingress.spokes.host $values.ingress.api.host) -}}
{{- $found = append $found (printf "ingress.spokes.host and ingress.api.host are both %q: spokes need a host of their own" $values.ingress.api.host) -}}
{{- end -}}
{{- $ports := list $values.ports.spokes $values.ports.api $values.ports.metrics $values.ports.workMetrics -}}
{{- if lt (len (uniq $ports)) 4 -}}
{{- $found = append $found "ports are not four different ones" -}}
{{- end -}}
{{- if $found -}}
{{- fail (printf "\n* %s\n" (join "\n* " $found)) -}}
{{- end -}}
{{- end -}}
