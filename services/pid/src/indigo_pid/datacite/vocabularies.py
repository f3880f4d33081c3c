"""The controlled lists of the DataCite Metadata Schema 4.7 (appendix 1; values are case-sensitive)."""

from __future__ import annotations

from enum import StrEnum


class ResourceType(StrEnum):
    """General type of a resource (property 10, ``resourceTypeGeneral``; 12.g; 20.a)."""

    AUDIOVISUAL = "Audiovisual"
    AWARD = "Award"
    BOOK = "Book"
    BOOK_CHAPTER = "BookChapter"
    COLLECTION = "Collection"
    COMPUTATIONAL_NOTEBOOK = "ComputationalNotebook"
    CONFERENCE_PAPER = "ConferencePaper"
    CONFERENCE_PROCEEDING = "ConferenceProceeding"
    DATA_PAPER = "DataPaper"
    DATASET = "Dataset"
    DISSERTATION = "Dissertation"
    EVENT = "Event"
    IMAGE = "Image"
    INSTRUMENT = "Instrument"
    INTERACTIVE_RESOURCE = "InteractiveResource"
    JOURNAL = "Journal"
    JOURNAL_ARTICLE = "JournalArticle"
    MODEL = "Model"
    OUTPUT_MANAGEMENT_PLAN = "OutputManagementPlan"
    PEER_REVIEW = "PeerReview"
    PHYSICAL_OBJECT = "PhysicalObject"
    POSTER = "Poster"
    PREPRINT = "Preprint"
    PRESENTATION = "Presentation"
    PROJECT = "Project"
    REPORT = "Report"
    SERVICE = "Service"
    SOFTWARE = "Software"
    SOUND = "Sound"
    STANDARD = "Standard"
    STUDY_REGISTRATION = "StudyRegistration"
    TEXT = "Text"
    WORKFLOW = "Workflow"
    OTHER = "Other"


class RelationType(StrEnum):
    """How the described resource (A) stands to the related one (B) (12.b, 20.b)."""

    CITES = "Cites"
    COLLECTS = "Collects"
    COMPILES = "Compiles"
    CONTINUES = "Continues"
    DESCRIBES = "Describes"
    DOCUMENTS = "Documents"
    HAS_METADATA = "HasMetadata"
    HAS_PART = "HasPart"
    HAS_TRANSLATION = "HasTranslation"
    HAS_VERSION = "HasVersion"
    IS_CITED_BY = "IsCitedBy"
    IS_COLLECTED_BY = "IsCollectedBy"
    IS_COMPILED_BY = "IsCompiledBy"
    IS_CONTINUED_BY = "IsContinuedBy"
    IS_DERIVED_FROM = "IsDerivedFrom"
    IS_DESCRIBED_BY = "IsDescribedBy"
    IS_DOCUMENTED_BY = "IsDocumentedBy"
    IS_IDENTICAL_TO = "IsIdenticalTo"
    IS_METADATA_FOR = "IsMetadataFor"
    IS_NEW_VERSION_OF = "IsNewVersionOf"
    IS_OBSOLETED_BY = "IsObsoletedBy"
    IS_ORIGINAL_FORM_OF = "IsOriginalFormOf"
    IS_PART_OF = "IsPartOf"
    IS_PREVIOUS_VERSION_OF = "IsPreviousVersionOf"
    IS_PUBLISHED_IN = "IsPublishedIn"
    IS_REFERENCED_BY = "IsReferencedBy"
    IS_REQUIRED_BY = "IsRequiredBy"
    IS_REVIEWED_BY = "IsReviewedBy"
    IS_SOURCE_OF = "IsSourceOf"
    IS_SUPPLEMENTED_BY = "IsSupplementedBy"
    IS_SUPPLEMENT_TO = "IsSupplementTo"
    IS_TRANSLATION_OF = "IsTranslationOf"
    IS_VARIANT_FORM_OF = "IsVariantFormOf"
    IS_VERSION_OF = "IsVersionOf"
    OBSOLETES = "Obsoletes"
    REFERENCES = "References"
    REQUIRES = "Requires"
    REVIEWS = "Reviews"
    OTHER = "Other"


class RelatedIdentifierType(StrEnum):
    """Scheme of an identifier of something related (12.a, 20.1.a)."""

    ARK = "ARK"
    ARXIV = "arXiv"
    BIBCODE = "bibcode"
    CSTR = "CSTR"
    DOI = "DOI"
    EAN13 = "EAN13"
    EISSN = "EISSN"
    HANDLE = "Handle"
    IGSN = "IGSN"
    ISBN = "ISBN"
    ISSN = "ISSN"
    ISTC = "ISTC"
    LISSN = "LISSN"
    LSID = "LSID"
    PMID = "PMID"
    PURL = "PURL"
    RAID = "RAiD"
    RRID = "RRID"
    SWHID = "SWHID"
    UPC = "UPC"
    URL = "URL"
    URN = "URN"
    W3ID = "w3id"


class ContributorType(StrEnum):
    """What a contributor did (7.a)."""

    CONTACT_PERSON = "ContactPerson"
    DATA_COLLECTOR = "DataCollector"
    DATA_CURATOR = "DataCurator"
    DATA_MANAGER = "DataManager"
    DISTRIBUTOR = "Distributor"
    EDITOR = "Editor"
    HOSTING_INSTITUTION = "HostingInstitution"
    PRODUCER = "Producer"
    PROJECT_LEADER = "ProjectLeader"
    PROJECT_MANAGER = "ProjectManager"
    PROJECT_MEMBER = "ProjectMember"
    REGISTRATION_AGENCY = "RegistrationAgency"
    REGISTRATION_AUTHORITY = "RegistrationAuthority"
    RELATED_PERSON = "RelatedPerson"
    RESEARCHER = "Researcher"
    RESEARCH_GROUP = "ResearchGroup"
    RIGHTS_HOLDER = "RightsHolder"
    SPONSOR = "Sponsor"
    SUPERVISOR = "Supervisor"
    TRANSLATOR = "Translator"
    WORK_PACKAGE_LEADER = "WorkPackageLeader"
    OTHER = "Other"


class DateType(StrEnum):
    """What happened on a date (8.a)."""

    ACCEPTED = "Accepted"
    AVAILABLE = "Available"
    COLLECTED = "Collected"
    COPYRIGHTED = "Copyrighted"
    COVERAGE = "Coverage"
    CREATED = "Created"
    ISSUED = "Issued"
    SUBMITTED = "Submitted"
    UPDATED = "Updated"
    VALID = "Valid"
    WITHDRAWN = "Withdrawn"
    OTHER = "Other"


class DescriptionType(StrEnum):
    """What a description is about (17.a)."""

    ABSTRACT = "Abstract"
    METHODS = "Methods"
    SERIES_INFORMATION = "SeriesInformation"
    TABLE_OF_CONTENTS = "TableOfContents"
    TECHNICAL_INFO = "TechnicalInfo"
    OTHER = "Other"


class TitleType(StrEnum):
    """A title other than the main one (3.a)."""

    ALTERNATIVE_TITLE = "AlternativeTitle"
    SUBTITLE = "Subtitle"
    TRANSLATED_TITLE = "TranslatedTitle"
    OTHER = "Other"


class NameType(StrEnum):
    """Whose name it is (2.1.a, 7.1.a)."""

    ORGANIZATIONAL = "Organizational"
    PERSONAL = "Personal"


class NumberType(StrEnum):
    """What a number within a related item counts (20.7.a)."""

    ARTICLE = "Article"
    CHAPTER = "Chapter"
    REPORT = "Report"
    OTHER = "Other"


class FunderIdentifierType(StrEnum):
    """Scheme of an identifier of a funder (19.2.a)."""

    CROSSREF_FUNDER_ID = "Crossref Funder ID"
    GRID = "GRID"
    ISNI = "ISNI"
    ROR = "ROR"
    OTHER = "Other"
