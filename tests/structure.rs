//! The structure of `src/`: no circle of modules, layers that use only those below them, files that can be read in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::Visit;

/// A module's path below the crate, such as `["net", "link"]`, and what it names of others.
type Module = Vec<String>;
type Graph = BTreeMap<Module, BTreeSet<Module>>;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every module file, but for tests.
fn modules() -> BTreeMap<Module, syn::File> {
    fn collect(folder: &Path, above: &[String], into: &mut BTreeMap<Module, syn::File>) {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("an entry of the folder").path();
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let module = if stem == "mod" || stem == "lib" {
                above.to_vec()
            } else {
                [above, std::slice::from_ref(&stem)].concat()
            };
            if path.is_dir() {
                collect(&path, &module, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
                let text = fs::read_to_string(&path).expect("a text");
                into.insert(module, syn::parse_file(&text).expect("Rust"));
            }
        }
    }
    let mut all = BTreeMap::new();
    collect(&source(), &[], &mut all);
    all
}

/// Collects the modules that one module names.
struct Names<'a> {
    own: &'a Module,
    all: &'a BTreeSet<Module>,
    /// What `use` brings in: the modules among it, by the name that they have here.
    imported: BTreeMap<String, Module>,
    found: BTreeSet<Module>,
}

impl Names<'_> {
    /// The module that holds what a path leads to.
    fn resolve(&self, path: &[String]) -> Option<Module> {
        let mut segments = path.iter();
        let mut at = match segments.next()?.as_str() {
            "crate" => Vec::new(),
            "self" => self.own.clone(),
            "super" => self.own[..self.own.len().checked_sub(1)?].to_vec(),
            first => {
                let child = [self.own.as_slice(), &[first.to_owned()]].concat();
                self.imported.get(first).cloned().or_else(|| self.all.contains(&child).then_some(child))?
            }
        };
        for segment in segments {
            let next = if segment == "super" {
                at[..at.len().checked_sub(1)?].to_vec()
            } else {
                [at.as_slice(), std::slice::from_ref(segment)].concat()
            };
            if !self.all.contains(&next) {
                break;
            }
            at = next;
        }
        Some(at)
    }

    fn add(&mut self, path: &[String]) {
        if let Some(module) = self.resolve(path)
            && module != *self.own
        {
            self.found.insert(module);
        }
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let join = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&join(&path.ident), &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
            syn::UseTree::Name(name) => self.import(&join(&name.ident), &name.ident.to_string()),
            syn::UseTree::Rename(name) => self.import(&join(&name.ident), &name.rename.to_string()),
            syn::UseTree::Glob(_) => self.add(before),
        }
    }

    fn import(&mut self, path: &[String], name: &str) {
        let path = path.strip_suffix(&["self".to_owned()]).unwrap_or(path);
        let name = if name == "self" { path.last().map_or(name, String::as_str) } else { name };
        match self.resolve(path) {
            // A module brought in by name: what is used of it counts, not its name.
            Some(module) if module.last().is_some_and(|last| path.last() == Some(last)) => {
                self.imported.insert(name.to_owned(), module);
            }
            _ => self.add(path),
        }
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| {
                let text = list.tokens.to_string();
                text == "test" || text.contains("feature = \"bench\"")
            })
    })
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_for_tests(&function.attrs) {
            syn::visit::visit_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.add_tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(&segments);
        }
        syn::visit::visit_path(self, path);
    }
}

fn graph() -> Graph {
    let files = modules();
    let all: BTreeSet<Module> = files.keys().cloned().collect();
    files
        .iter()
        .map(|(own, file)| {
            let mut names = Names { own, all: &all, imported: BTreeMap::new(), found: BTreeSet::new() };
            names.visit_file(file);
            (own.clone(), names.found)
        })
        .collect()
}

/// What can be reached from a module, itself only by a circle.
fn reachable(graph: &Graph, from: &Module) -> BTreeSet<Module> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(module) = open.pop() {
        for next in graph.get(&module).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen
}

#[test]
fn modules_form_no_circle() {
    let graph = graph();
    let reach: BTreeMap<&Module, BTreeSet<Module>> =
        graph.keys().map(|module| (module, reachable(&graph, module))).collect();
    let steps: Vec<(String, String)> = graph
        .iter()
        .flat_map(|(module, named)| named.iter().map(move |other| (module, other)))
        .filter(|(module, other)| reach[*other].contains(*module))
        .map(|(module, other)| (module.join("::"), other.join("::")))
        .collect();
    assert!(steps.is_empty(), "each names the other, directly or through more: {steps:#?}");
}

/// The layers of lib.rs, from the bottom; what stands together may use each other.
const LAYERS: [&[&str]; 8] = [
    &["error", "events", "stats"],
    &["model"],
    &["codec"],
    &["config"],
    &["net"],
    &["store"],
    &["engine"],
    &["binding"],
];

#[test]
fn layers_use_only_those_below() {
    let layer = |module: &Module| {
        let top = module.first()?;
        Some(
            LAYERS
                .iter()
                .position(|names| names.contains(&top.as_str()))
                .unwrap_or_else(|| panic!("{top} is in no layer")),
        )
    };
    let upward: Vec<String> = graph()
        .iter()
        .flat_map(|(module, named)| named.iter().map(move |other| (module.clone(), other.clone())))
        .filter(|(module, other)| layer(module) < layer(other))
        .map(|(module, other)| format!("{} names {}", module.join("::"), other.join("::")))
        .collect();
    assert!(upward.is_empty(), "a layer uses one above it: {upward:#?}");
}

#[test]
fn no_file_has_more_than_450_lines() {
    fn check(folder: &Path, long: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("an entry of the folder").path();
            if path.is_dir() {
                check(&path, long);
            } else if fs::read_to_string(&path).expect("a text").lines().count() > 450 {
                long.push(path.display().to_string());
            }
        }
    }
    let mut long = Vec::new();
    check(&source(), &mut long);
    assert!(long.is_empty(), "too long to read in one go: {long:?}");
}
