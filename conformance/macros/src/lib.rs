//! `#[case]`, the attribute that makes a case of the suite out of a function.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, ItemFn, Lit, Meta, Token, parenthesized, parse_macro_input};

/// Registers `async fn(World) -> Verdict` as a case: `#[case(EXE_007, needs(clock))]`.
///
/// The arguments are the ids of the clauses that it checks, with `_` for `-`, and in `needs(…)` what it
/// needs beyond a backend. Its slug is made of the module's name and the function's, its title is the
/// first paragraph of the doc comment.
#[proc_macro_attribute]
pub fn case(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Arguments { clauses, needs } = parse_macro_input!(arguments);
    let function = parse_macro_input!(item as ItemFn);
    let Some(title) = title(&function.attrs) else {
        let why = "the doc comment of a case is its title";
        return syn::Error::new_spanned(&function.sig.ident, why).into_compile_error().into();
    };
    registered(&function, &clauses, &needs, &title).into()
}

fn registered(function: &ItemFn, clauses: &[Ident], needs: &[Ident], title: &str) -> Tokens {
    let name = &function.sig.ident;
    let slug = name.to_string().trim_start_matches("r#").replace('_', "-");
    let clauses = clauses.iter().map(|id| id.to_string().replace('_', "-"));
    let needs = needs.iter().map(|need| format_ident!("{}", capitalised(&need.to_string())));
    quote! {
        // All cases have one signature, whether or not they wait.
        #[allow(clippy::unused_async)]
        #function

        ::inventory::submit! {
            crate::stage::play::Declaration {
                module: module_path!(),
                line: line!(),
                cases: |topic| vec![topic.case(
                    #slug,
                    #title,
                    &[#(#clauses),*],
                    &[#(crate::stage::case::Need::#needs),*],
                    crate::stage::play::InWorld(|world| Box::pin(#name(world))),
                )],
            }
        }
    }
}

struct Arguments {
    clauses: Vec<Ident>,
    needs: Vec<Ident>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut clauses, mut needs) = (Vec::new(), Vec::new());
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            if name == "needs" {
                let inside;
                parenthesized!(inside in input);
                needs.extend(Punctuated::<Ident, Token![,]>::parse_terminated(&inside)?);
            } else {
                clauses.push(name);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if clauses.is_empty() {
            return Err(input.error("a case names the clauses that it checks"));
        }
        Ok(Self { clauses, needs })
    }
}

/// The first paragraph of a doc comment, on one line.
fn title(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(text) => match &text.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                other => Some(other.to_token_stream().to_string()),
            },
            _ => None,
        },
        _ => None,
    });
    let first: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    (!first.is_empty()).then(|| first.join(" "))
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
