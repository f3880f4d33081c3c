"""DataCite's relations in the words of Crossref's ``relations.xsd``.

What it has no word for is left out: a relation that is not said is better than one that is wrong.
"""

from __future__ import annotations

from indigo_pid.datacite.vocabularies import RelatedIdentifierType, RelationType

_T = RelationType

BETWEEN_WORKS: dict[RelationType, str] = {
    _T.IS_DERIVED_FROM: "isDerivedFrom",
    _T.IS_SOURCE_OF: "hasDerivation",
    _T.REVIEWS: "isReviewOf",
    _T.IS_REVIEWED_BY: "hasReview",
    _T.IS_COMPILED_BY: "isCompiledBy",
    _T.COMPILES: "compiles",
    _T.IS_DOCUMENTED_BY: "isDocumentedBy",
    _T.DOCUMENTS: "documents",
    _T.IS_SUPPLEMENT_TO: "isSupplementTo",
    _T.IS_SUPPLEMENTED_BY: "isSupplementedBy",
    _T.IS_CONTINUED_BY: "isContinuedBy",
    _T.CONTINUES: "continues",
    _T.IS_PART_OF: "isPartOf",
    _T.HAS_PART: "hasPart",
    _T.CITES: "references",
    _T.REFERENCES: "references",
    _T.IS_CITED_BY: "isReferencedBy",
    _T.IS_REFERENCED_BY: "isReferencedBy",
    _T.REQUIRES: "requires",
    _T.IS_REQUIRED_BY: "isRequiredBy",
}
"""``inter_work_relation``: to another work."""

WITHIN_A_WORK: dict[RelationType, str] = {
    _T.IS_TRANSLATION_OF: "isTranslationOf",
    _T.HAS_TRANSLATION: "hasTranslation",
    _T.IS_IDENTICAL_TO: "isIdenticalTo",
    _T.IS_VARIANT_FORM_OF: "isVariantFormOf",
    _T.IS_ORIGINAL_FORM_OF: "isOriginalFormOf",
    _T.IS_VERSION_OF: "isVersionOf",
    _T.HAS_VERSION: "hasVersion",
    _T.IS_NEW_VERSION_OF: "replaces",
    _T.IS_PREVIOUS_VERSION_OF: "isReplacedBy",
    _T.OBSOLETES: "replaces",
    _T.IS_OBSOLETED_BY: "isReplacedBy",
}
"""``intra_work_relation``: to another form of the same work."""

IDENTIFIER_TYPES: dict[RelatedIdentifierType, str] = {
    RelatedIdentifierType.DOI: "doi",
    RelatedIdentifierType.HANDLE: "handle",
    RelatedIdentifierType.ARK: "ark",
    RelatedIdentifierType.ARXIV: "arxiv",
    RelatedIdentifierType.PMID: "pmid",
    RelatedIdentifierType.PURL: "purl",
    RelatedIdentifierType.URL: "uri",
    RelatedIdentifierType.ISSN: "issn",
    RelatedIdentifierType.ISBN: "isbn",
}
"""``identifier-type``; anything else is ``other``."""
