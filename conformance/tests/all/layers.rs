//! Imports point down: `run` → `cases`, `deviants` → `play` → `stage`, and no file imports what imports it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::{Item, UseTree};

/// A module's path from the crate's root, in parts.
type Module = Vec<String>;

/// Layers from the top; those on one level do not import each other.
const LEVELS: [&[&str]; 4] = [&["run"], &["cases", "deviants"], &["play"], &["stage"]];

/// Every module that is a file, with its imports that stand at the top of the file.
fn modules() -> BTreeMap<Module, Vec<Module>> {
    fn walk(directory: &Path, path: &Module, found: &mut BTreeMap<Module, Vec<Module>>) {
        for entry in fs::read_dir(directory).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let inner: Module = path.iter().cloned().chain([name.clone()]).collect();
            if file.is_dir() {
                walk(&file, &inner, found);
            } else {
                let module = if ["mod", "lib"].contains(&&*name) { path.clone() } else { inner };
                found.insert(module.clone(), imports(&file, &module));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &Module::new(), &mut found);
    found
}

/// What a file imports from this crate, each as a path from its root.
fn imports(file: &Path, module: &Module) -> Vec<Module> {
    fn flatten(tree: &UseTree, path: &Module, found: &mut Vec<Module>) {
        let with = |name: String| path.iter().cloned().chain([name]).collect::<Module>();
        match tree {
            UseTree::Path(part) => flatten(&part.tree, &with(part.ident.to_string()), found),
            UseTree::Name(name) => found.push(with(name.ident.to_string())),
            UseTree::Rename(name) => found.push(with(name.ident.to_string())),
            UseTree::Glob(_) => found.push(path.clone()),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| flatten(tree, path, found));
            }
        }
    }
    let parsed = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
    let mut paths = Vec::new();
    for item in &parsed.items {
        if let Item::Use(import) = item {
            flatten(&import.tree, &Module::new(), &mut paths);
        }
    }
    let resolved = paths.into_iter().filter_map(|path| match path[0].as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            Some([&module[..module.len() - up], &path[up..]].concat())
        }
        _ => None,
    });
    resolved.collect()
}

/// Which module files each module file imports from.
fn edges() -> BTreeMap<Module, BTreeSet<Module>> {
    let modules = modules();
    let target = |path: &Module| {
        let prefixes = (0..=path.len()).rev().map(|length| path[..length].to_vec());
        prefixes.into_iter().find(|prefix| modules.contains_key(prefix)).unwrap()
    };
    let of = |(module, imports): (&Module, &Vec<Module>)| {
        let targets: BTreeSet<Module> =
            imports.iter().map(target).filter(|target| target != module).collect();
        (module.clone(), targets)
    };
    modules.iter().map(of).collect()
}

fn level(module: &Module) -> Option<usize> {
    let layer = module.first()?;
    LEVELS.iter().position(|level| level.contains(&layer.as_str()))
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (from, targets) in edges().iter().filter(|(from, _)| !from.is_empty()) {
        let own = level(from).unwrap_or_else(|| panic!("{from:?} is in no layer"));
        for to in targets {
            let is_down = level(to).is_some_and(|level| own < level);
            if to.first() != from.first() && !is_down {
                wrong.push(format!("{} imports {}", from.join("::"), to.join("::")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Takes away the files that import nothing that is left, until only circles are.
#[test]
fn no_file_imports_what_imports_it() {
    let mut left = edges();
    loop {
        let known: BTreeSet<Module> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, targets| targets.iter().any(|target| known.contains(target)));
        if left.len() == before {
            break;
        }
    }
    // What only leads to a circle is not part of it.
    loop {
        let imported: BTreeSet<Module> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|module, _| imported.contains(module));
        if left.len() == before {
            break;
        }
    }
    let circles: Vec<String> = left
        .iter()
        .map(|(from, targets)| {
            let targets = targets.iter().filter(|target| left.contains_key(*target));
            let targets: Vec<_> = targets.map(|target| target.join("::")).collect();
            format!("{} imports {}", from.join("::"), targets.join(", "))
        })
        .collect();
    assert_eq!(circles, Vec::<String>::new());
}
