import { graphql } from "relay-runtime";

// A list that goes on as a reader scrolls down.
export const clusters = graphql`
  fragment fleet_clusters on Query
  @argumentDefinitions(first: { type: "Int", defaultValue: 50 }, after: { type: "String" })
  @refetchable(queryName: "fleetClustersNextQuery") {
    clusters(first: $first, after: $after) @connection(key: "fleet_clusters") {
      edges {
        node {
          id
          name
          state
          lastSeenAt
          networkDomain { id name }
        }
      }
    }
  }
`;

export const page = graphql`
  query fleetPageQuery {
    ...fleet_clusters
  }
`;

// A list that can be scrolled both ways, and its owner is found again by id.
export const pods = graphql`
  fragment fleet_pods on Cluster
  @argumentDefinitions(
    first: { type: "Int" }
    after: { type: "String" }
    last: { type: "Int" }
    before: { type: "String" }
  )
  @refetchable(queryName: "fleetPodsWindowQuery") {
    pods(first: $first, after: $after, last: $last, before: $before) @connection(key: "fleet_pods") {
      edges {
        node { id name ipv4 }
      }
    }
  }
`;

export const cluster = graphql`
  query fleetClusterQuery($id: ID!) {
    node(id: $id) {
      __typename
      ... on Cluster {
        ...fleet_pods @arguments(first: 20) @alias
      }
    }
  }
`;

export const accept = graphql`
  mutation fleetAcceptMutation($input: AcceptOverlapInput!) {
    acceptOverlap(input: $input) {
      __typename
      ... on OverlapAcceptance { id cidr expiresAt }
      ... on Problem { code message remedy }
    }
  }
`;

export const changes = graphql`
  subscription fleetChangesSubscription($topics: [ChangeTopic!]!) {
    changes(topics: $topics) {
      __typename
      ... on FindingChanged { finding { id title severity } }
      ... on ClusterChanged { cluster { id state } }
    }
  }
`;
