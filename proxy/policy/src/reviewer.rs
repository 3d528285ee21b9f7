//! All policies of a proxy, and one connection's conversation with them.

use std::collections::HashMap;
use std::sync::Arc;

use pgveil_sql::catalog::ColumnId;
use pgveil_sql::plan::{Facts, RelationFacts};
use pgveil_sql::protection::Declaration;

use crate::declaration::merge;
use crate::error::PolicyError;
use crate::policy::{Instance, Policy};
use crate::verdict::{Reveal, SessionFacts, Verdict};

/// Verdicts that a connection keeps. When there are more, all are forgotten.
const VERDICTS: usize = 256;

/// The policies of a proxy, no two of which declare the same table.
#[derive(Debug)]
pub struct Policies {
    /// In the order of the configuration.
    loaded: Vec<Arc<Policy>>,
    declaration: Declaration,
    /// `(schema, table)` to the index of the policy that declares it.
    owners: HashMap<(String, String), usize>,
}

impl Policies {
    /// Joins the policies' declarations.
    pub fn new(policies: Vec<Arc<Policy>>) -> Result<Self, PolicyError> {
        let declaration = merge(&policies)?;
        let mut owners = HashMap::new();
        for (index, policy) in policies.iter().enumerate() {
            for table in &policy.declaration().tables {
                owners.insert((table.schema.clone(), table.table.clone()), index);
            }
        }
        Ok(Self { loaded: policies, declaration, owners })
    }

    /// Everything they protect.
    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// The policies in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.loaded.iter().map(|policy| &**policy)
    }

    fn owner(&self, relation: &RelationFacts) -> Result<usize, PolicyError> {
        let name = (relation.schema.clone(), relation.table.clone());
        self.owners
            .get(&name)
            .copied()
            .ok_or(PolicyError::Undeclared { schema: name.0, table: name.1 })
    }
}

/// One connection's conversation with the policies: an instance of each that was asked, and the
/// verdicts so far.
#[derive(Debug)]
pub struct Reviewer {
    policies: Arc<Policies>,
    /// One a policy, made when it is first asked.
    instances: Vec<Option<Instance>>,
    /// Whom `verdicts` are about.
    session: SessionFacts,
    verdicts: HashMap<Facts, Arc<Verdict>>,
}

impl Reviewer {
    /// Costs nothing until something is asked.
    pub fn new(policies: Arc<Policies>) -> Self {
        let instances = policies.loaded.iter().map(|_| None).collect();
        let (session, verdicts) = (SessionFacts::default(), HashMap::new());
        Self { policies, instances, session, verdicts }
    }

    /// The verdict on a statement: each policy is asked about its own tables, and sees no others.
    /// One denial denies the statement. Failures are not kept.
    pub fn review(
        &mut self,
        session: &SessionFacts,
        facts: &Facts,
    ) -> Result<Arc<Verdict>, PolicyError> {
        if self.session != *session {
            self.verdicts.clear();
            self.session.clone_from(session);
        }
        if let Some(verdict) = self.verdicts.get(facts) {
            return Ok(Arc::clone(verdict));
        }
        let verdict = Arc::new(self.ask(session, facts)?);
        if self.verdicts.len() >= VERDICTS {
            self.verdicts.clear();
        }
        self.verdicts.insert(facts.clone(), Arc::clone(&verdict));
        Ok(verdict)
    }

    fn ask(&mut self, session: &SessionFacts, facts: &Facts) -> Result<Verdict, PolicyError> {
        let mut parts: Vec<(usize, Facts)> = Vec::new();
        for relation in &facts.relations {
            let owner = self.policies.owner(relation)?;
            match parts.iter_mut().find(|(index, _)| *index == owner) {
                Some((_, part)) => part.relations.push(relation.clone()),
                None => parts
                    .push((owner, Facts { verb: facts.verb, relations: vec![relation.clone()] })),
            }
        }
        let mut allowed: Vec<(ColumnId, Reveal)> = Vec::new();
        for (index, part) in parts {
            let instance = match &mut self.instances[index] {
                Some(instance) => instance,
                none => none.insert(self.policies.loaded[index].instance()?),
            };
            match instance.review(session, &part)? {
                Verdict::Allow(columns) => allowed.extend(columns),
                denied @ Verdict::Deny { .. } => return Ok(denied),
            }
        }
        Ok(Verdict::Allow(allowed))
    }
}
